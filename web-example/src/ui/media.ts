/** Shows a file in a page: picture, video, sound, PDF or text. */

import { call, type Holdfast } from '@holdfast/client';
import { el } from './dom';
import type { Kind } from './kind';
import { bytes, t } from './language';

const linkLife = 3600; // seconds: enough to pause a long video and resume it
const textShown = 64 * 1024; // bytes: enough to recognise a file, without loading a whole log

export interface Shown {
  id: string;
  name: string;
  url: string;
  kind: Kind;
}

/**
 * Creates the elements that show a file. When it seeks in a video or a sound, the browser requests ranges without
 * our headers, so a signed link authorizes these requests, also on pages of other origins. The elements may hold
 * memory until `closed` aborts.
 */
export async function media(holdfast: Holdfast, { id, name, url, kind }: Shown, closed: AbortSignal): Promise<Node[]> {
  const link = async () => (await holdfast.signedLink(id, linkLife)).url;
  switch (kind) {
    case 'image':
      return [el('img', { src: await link(), alt: name })];
    case 'video':
      return [el('video', { src: await link(), controls: true, playsinline: true, preload: 'metadata', 'aria-label': name })];
    case 'audio':
      return [el('audio', { src: await link(), controls: true, preload: 'metadata', 'aria-label': name })];
    case 'pdf':
      return [el('iframe', { src: await pdf(holdfast, url, closed), title: name })];
    case 'text':
      return text(holdfast, url, name, closed);
    case 'file':
      return [notShown()];
  }
}

export const notShown = () => el('p', { class: 'muted' }, t('This browser can’t show this file. Download it to open it.'));

// A frame would obey `Content-Disposition: attachment` and download the file instead. The type is set here and
// never taken from the file: a blob has the origin of this page, so it must not be HTML.
async function pdf({ service }: Holdfast, url: string, closed: AbortSignal): Promise<string> {
  const response = await call(service, url, { signal: closed });
  const blob = URL.createObjectURL(new Blob([await response.arrayBuffer()], { type: 'application/pdf' }));
  closed.addEventListener('abort', () => URL.revokeObjectURL(blob));
  return blob;
}

async function text({ service }: Holdfast, url: string, name: string, closed: AbortSignal): Promise<Node[]> {
  const response = await call(service, url, { signal: closed, headers: { Range: `bytes=0-${textShown - 1}` } });
  const content = el('pre', { tabindex: '0', role: 'region', 'aria-label': name }, await response.text());
  const size = Number(/\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '')?.[1] ?? 0);
  if (size <= textShown) return [content];
  return [content, el('p', { class: 'muted' }, t('The first {part} of {size}.', { part: bytes(textShown), size: bytes(size) }))];
}
