/** The list of interrupted uploads, which the user can resume or discard. */

import { type Holdfast, Problem, type UnfinishedUpload } from '@holdfast/client';
import { byId, chooseFiles, el, notice } from './dom';
import { bytes, explain, moment, t } from './language';

type GoOn = (file: File, upload: UnfinishedUpload) => void | Promise<void>;

/** Shows the uploads of one client in #unfinished; `goOn` is called with the file when the user has chosen it again. */
export async function showUnfinished(holdfast: Holdfast, client: 'tus' | 'uppy', goOn: GoOn): Promise<void> {
  const rows = (await holdfast.resumeUploads(client)).map((upload) => row(upload, goOn));
  byId('unfinished').replaceChildren(
    el('div', { class: 'card-head' }, el('h2', { id: 'unfinished-title' }, t('Unfinished'))),
    el('p', { class: 'muted' }, t('Choose the same file again, and only the rest of it is sent.')),
    el('ul', { class: 'files', 'data-testid': 'unfinished' }, ...rows),
  );
  hideIfEmpty();
}

/** Hides an upload in the list when its file was chosen again, or shows it again when the file was put back unsent. */
export function markContinued(name: string, size: number, continued = true): void {
  for (const one of byId('unfinished').querySelectorAll<HTMLElement>('li')) {
    if (one.dataset.name === name && one.dataset.size === String(size)) one.hidden = continued;
  }
  hideIfEmpty();
}

function hideIfEmpty(): void {
  const box = byId('unfinished');
  box.hidden = box.querySelector('li:not([hidden])') === null;
}

function row(upload: UnfinishedUpload, goOn: GoOn): HTMLLIElement {
  const { name, size, offset, startedAt } = upload;
  const item = el('li', { class: 'file', 'data-name': name, 'data-size': String(size) },
    el('span', { class: 'file-text' },
      el('span', { class: 'name', title: name }, name),
      el('span', { class: 'muted' }, t('{part} of {size} arrived · started {time}', { part: bytes(offset), size: bytes(size), time: moment(startedAt) })),
      el('progress', { max: String(size), value: String(offset), 'aria-label': `${name}, ${t('arrived')}` })),
    el('span', { class: 'actions' },
      el('button', { type: 'button', class: 'quiet', 'aria-label': `${t('Go on')}: ${name}`, 'data-testid': 'go-on', onclick: () => void choose() }, t('Go on')),
      el('button', { type: 'button', class: 'quiet danger', 'aria-label': `${t('Discard')}: ${name}`, 'data-testid': 'discard', onclick: () => void discard() }, t('Discard'))));

  async function choose(): Promise<void> {
    const [file] = await chooseFiles();
    if (!file) return;
    if (file.name === name && file.size === size) await goOn(file, upload);
    else notice(explain(new Problem(0, 'other_file', { name })));
  }

  async function discard(): Promise<void> {
    try {
      await upload.discard();
      item.remove();
      hideIfEmpty();
    } catch (error) {
      notice(t('“{name}” was not discarded. {why}', { name, why: explain(error) }));
    }
  }
  return item;
}
