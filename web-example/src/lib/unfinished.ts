/**
 * Uploads that this browser began and did not finish.
 *
 * A page can't reach a file again after a reload until the user picks it once more. So that they
 * know which, and how little is left, the addresses that tus-js-client keeps are looked up here.
 */

import { defaultOptions, type PreviousUpload } from 'tus-js-client';
import { call, remove } from './api';
import { byId, el, notice } from './dom';
import { bytes, moment } from './format';
import { explain, Problem } from './problem';

/** Shows them in #unfinished. Each client keeps its own list; `prefix` tells them apart. */
export async function showUnfinished(prefix: 'tus::tus-uppy' | 'tus::tus-br'): Promise<void> {
  const box = byId('unfinished');
  const rows: HTMLLIElement[] = [];
  const kept = await defaultOptions.urlStorage.findAllUploads();
  for (const upload of kept.filter((one) => one.urlStorageKey.startsWith(prefix))) {
    const offset = await offsetOf(upload).catch(() => null);
    if (offset === null) continue; // no answer: it may still be there, so it stays kept
    if (offset === 'gone' || offset === upload.size) {
      await defaultOptions.urlStorage.removeUpload(upload.urlStorageKey);
      continue;
    }
    rows.push(row(upload, offset, box));
  }
  box.replaceChildren(
    el('div', { class: 'card-head' }, el('h2', { id: 'unfinished-title' }, 'Unfinished')),
    el('p', { class: 'muted' }, 'Choose the same file again, and only the rest of it is sent.'),
    el('ul', { class: 'files', 'data-testid': 'unfinished' }, ...rows),
  );
  box.hidden = rows.length === 0;
}

/** Takes an upload off the list, once the file is here again. */
export function markContinued(name: string, size: number): void {
  const box = byId('unfinished');
  for (const one of box.querySelectorAll<HTMLElement>('li')) {
    if (one.dataset.name === name && one.dataset.size === String(size)) one.remove();
  }
  box.hidden = box.querySelector('li') === null;
}

async function offsetOf(upload: PreviousUpload): Promise<number | 'gone'> {
  if (upload.uploadUrl === null) return 'gone';
  try {
    const response = await call(upload.uploadUrl, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } });
    return Number(response.headers.get('Upload-Offset'));
  } catch (error) {
    if (error instanceof Problem && [403, 404, 410].includes(error.status)) return 'gone';
    throw error;
  }
}

function row(upload: PreviousUpload, offset: number, box: HTMLElement): HTMLLIElement {
  const name = upload.metadata.filename ?? upload.metadata.name ?? 'Unnamed';
  const size = upload.size ?? 0;
  const item = el('li', { class: 'file', 'data-name': name, 'data-size': String(size) },
    el('span', { class: 'file-text' },
      el('span', { class: 'name', title: name }, name),
      el('span', { class: 'muted' }, `${bytes(offset)} of ${bytes(size)} arrived · started ${moment(upload.creationTime)}`),
      el('progress', { max: String(size), value: String(offset), 'aria-label': `${name}, arrived` })),
    el('span', { class: 'actions' },
      el('button', { type: 'button', class: 'quiet danger', 'aria-label': `Discard ${name}`, onclick: () => void discard() }, 'Discard')));

  async function discard(): Promise<void> {
    try {
      if (upload.uploadUrl !== null) await remove(upload.uploadUrl);
      await defaultOptions.urlStorage.removeUpload(upload.urlStorageKey);
      item.remove();
      box.hidden = box.querySelector('li') === null;
    } catch (error) {
      notice(`“${name}” was not discarded. ${explain(error)}`);
    }
  }
  return item;
}
