/** A look at a file without leaving the page. */

import { call, type StoredFile } from './api';
import { ask, el } from './dom';
import { bytes } from './format';
import { kindOf } from './kind';
import { explain } from './problem';

const textShown = 64 * 1024; // bytes; enough to recognise a file, never a whole log

export async function preview(file: StoredFile): Promise<void> {
  const stage = el('div', { class: 'stage', 'data-testid': 'preview-stage' });
  const close = new AbortController();
  const dialog = el('dialog', { class: 'dialog wide', 'aria-labelledby': 'preview-title', 'data-testid': 'preview' },
    el('div', { class: 'stack' },
      el('h2', { id: 'preview-title', class: 'name' }, file.name),
      stage,
      el('div', { class: 'buttons end' },
        el('a', { class: 'button', href: file.url, download: file.name }, 'Download'),
        el('button', { class: 'primary', type: 'button', autofocus: true, onclick: () => dialog.close() }, 'Close'))));

  // Not every browser draws every image or plays every film. Errors of media do not bubble: capture.
  stage.addEventListener('error', () => stage.replaceChildren(noPreview(file)), { capture: true });

  const closed = ask(dialog);
  show(file, close.signal).then(
    (content) => stage.replaceChildren(...content),
    (error: unknown) => stage.replaceChildren(el('p', { class: 'bad' }, explain(error))),
  );
  await closed;
  close.abort();
}

async function show(file: StoredFile, closed: AbortSignal): Promise<Node[]> {
  switch (kindOf(file.type)) {
    case 'image':
      return [el('img', { src: file.url, alt: file.name })];
    case 'video':
      return [el('video', { src: file.url, controls: true, playsinline: true, preload: 'metadata' })];
    case 'audio':
      return [el('audio', { src: file.url, controls: true, preload: 'metadata' })];
    case 'pdf':
      return [el('iframe', { src: await pdf(file, closed), title: file.name })];
    case 'text':
      return text(file, closed);
    case 'other':
      return [noPreview(file)];
  }
}

const noPreview = (file: StoredFile) =>
  el('p', { class: 'muted' }, `This browser can’t show ${file.type || 'this file'}. Download it to open it.`);

// A frame would obey `Content-Disposition: attachment` and download instead. The type is set here,
// never taken from the file: a blob runs as part of this page, and so must not become HTML.
async function pdf(file: StoredFile, closed: AbortSignal): Promise<string> {
  const response = await call(file.url, { signal: closed });
  const url = URL.createObjectURL(new Blob([await response.arrayBuffer()], { type: 'application/pdf' }));
  closed.addEventListener('abort', () => URL.revokeObjectURL(url));
  return url;
}

async function text(file: StoredFile, closed: AbortSignal): Promise<Node[]> {
  if (file.size === 0) return [el('p', { class: 'muted' }, 'The file is empty.')];
  const response = await call(file.url, { signal: closed, headers: { Range: `bytes=0-${textShown - 1}` } });
  const content = el('pre', { tabindex: '0', 'aria-label': file.name }, await response.text());
  if (file.size <= textShown) return [content];
  return [content, el('p', { class: 'muted' }, `The first ${bytes(textShown)} of ${bytes(file.size)}.`)];
}
