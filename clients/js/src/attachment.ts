/** How an attachment is shown, by its file name extension. */

export type AttachmentType = 'image' | 'video' | 'audio' | 'pdf' | 'file';

const extensions: Record<Exclude<AttachmentType, 'file'>, string> = {
  image: 'apng avif bmp gif heic heif ico jfif jpe jpeg jpg png svg tif tiff webp',
  video: '3gp avi m4v mkv mov mp4 mpeg mpg ogv webm wmv',
  audio: 'aac aif aiff amr flac m4a mid mp3 oga ogg opus wav weba wma',
  pdf: 'pdf',
};

const types = new Map<string, AttachmentType>(
  Object.entries(extensions).flatMap(([type, list]) => list.split(' ').map((one) => [one, type as AttachmentType] as const)),
);

/**
 * The type by the first argument with a known extension: usually a file's name, then its URL. Query and
 * fragment of a URL are ignored.
 */
export function attachmentType(...namesOrUrls: string[]): AttachmentType {
  for (const one of namesOrUrls) {
    const type = types.get(extension(isUrl(one) ? lastSegment(one) : one));
    if (type) return type;
  }
  return 'file';
}

const isUrl = (text: string) => /^([a-z][a-z0-9+.-]*:)?\/\//i.test(text) || text.startsWith('/');

/** In lower case, without the dot; ".pdf" alone is a name without an extension. */
function extension(name: string): string {
  const dot = name.trimEnd().lastIndexOf('.');
  return dot > 0 ? name.trimEnd().slice(dot + 1).toLowerCase() : '';
}

function lastSegment(url: string): string {
  const path = url.replace(/[?#].*$/s, '').replace(/^([a-z][a-z0-9+.-]*:)?\/\/[^/]*/i, '');
  const segment = path.slice(path.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // a lone % is not an encoding
  }
}
