/** A file shown in a page: picture, film, sound, PDF or text. */

import type { Holdfast } from '../lib';
import { call } from '../lib/http';
import { el } from './dom';
import type { Kind } from './kind';
import { bytes, t } from './language';

const linkLife = 3600; // seconds: a long film can be paused and gone on with
const textShown = 64 * 1024; // bytes; enough to recognise a file, never a whole log

export interface Shown {
  id: string;
  name: string;
  url: string;
  kind: Kind;
}

/**
 * What shows a file. The browser asks for parts of a film or a sound as it seeks, without our
 * headers: a signed link says for it who is asking, on pages of other origins as well. Until
 * `closed` aborts, memory may be held for it.
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

// A frame would obey `Content-Disposition: attachment` and download instead. The type is set here,
// never taken from the file: a blob runs as part of this page, and so must not become HTML.
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
