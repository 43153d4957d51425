/** The list of the user's own files: newest first, a page at a time. */

import type { FilePage, Holdfast, StoredFile } from '@holdfast/client';
import { confirm, el, notice } from './dom';
import { iconOf, kindOf } from './kind';
import { bytes, explain, moment, t } from './language';
import { preview } from './preview';
import { share } from './share';

const thumbnailUpTo = 4 * 1024 * 1024; // bytes: a thumbnail downloads the whole image

export class FileList {
  #next: string | null = null;
  readonly #rows = el('ul', { class: 'files', 'data-testid': 'file-list' });
  readonly #empty = el('p', { class: 'empty', hidden: true, 'data-testid': 'no-files' }, t('No files yet. What you upload appears here.'));
  readonly #more = el('button', { type: 'button', hidden: true, 'data-testid': 'load-more', onclick: () => void this.more() }, t('Load more'));

  constructor(
    private readonly holdfast: Holdfast,
    private readonly pageSize: number,
    place: HTMLElement,
    private readonly changed: () => void = () => {},
  ) {
    place.replaceChildren(this.#rows, this.#empty, el('div', { class: 'buttons centre' }, this.#more));
  }

  /** Shows the newest files again, from the top. */
  async refresh(): Promise<void> {
    await this.#show(null);
  }

  async more(): Promise<void> {
    this.#more.disabled = true;
    await this.#show(this.#next);
    this.#more.disabled = false;
  }

  async #show(after: string | null): Promise<void> {
    let page: FilePage;
    try {
      page = await this.holdfast.listFiles(this.pageSize, after);
    } catch (error) {
      notice(explain(error));
      return;
    }
    const rows = page.files.map((file) => this.#row(file));
    if (after === null) this.#rows.replaceChildren(...rows);
    else this.#rows.append(...rows);
    this.#next = page.next;
    this.#more.hidden = page.next === null;
    this.#empty.hidden = this.#rows.childElementCount > 0;
  }

  #row(file: StoredFile): HTMLLIElement {
    const kind = kindOf(file.type);
    const action = (label: string, name: string, testid: string, act: () => unknown, style = '') =>
      el('button', { type: 'button', class: `quiet ${style}`, 'aria-label': `${label}: ${name}`, 'data-testid': testid, onclick: () => void act() }, label);
    const row: HTMLLIElement = el('li', { class: 'file', 'data-testid': 'file', 'data-id': file.id },
      el('span', { class: 'thumb', 'data-kind': kind },
        kind === 'image' && file.size <= thumbnailUpTo ? thumbnail(file) : iconOf(kind)),
      el('span', { class: 'file-text' },
        el('span', { class: 'name', title: file.name, 'data-testid': 'file-name' }, file.name),
        el('span', { class: 'muted' },
          bytes(file.size), ' · ', el('time', { datetime: file.created_at }, moment(file.created_at)))),
      el('span', { class: 'actions' },
        kind === 'file' ? '' : action(t('Preview'), file.name, 'preview-open', () => preview(this.holdfast, file)),
        action(t('Share'), file.name, 'share-open', () => share(this.holdfast, file)),
        el('a', { class: 'button quiet', href: file.url, download: file.name, 'aria-label': `${t('Download')}: ${file.name}`, 'data-testid': 'download' }, t('Download')),
        action(t('Delete'), file.name, 'delete', () => this.#delete(file, row), 'danger')));
    return row;
  }

  async #delete(file: StoredFile, row: HTMLElement): Promise<void> {
    const sure = await confirm(t('Delete this file?'), t('“{name}” ({size}) will be gone for good.', { name: file.name, size: bytes(file.size) }), t('Delete'));
    if (!sure) return;
    try {
      await this.holdfast.remove(file.url);
      notice('');
      row.remove();
      this.#empty.hidden = this.#rows.childElementCount > 0 || this.#next !== null;
      this.changed();
    } catch (error) {
      notice(t('“{name}” was not deleted. {why}', { name: file.name, why: explain(error) }));
    }
  }
}

function thumbnail(file: StoredFile): HTMLImageElement {
  const image: HTMLImageElement = el('img', {
    src: file.url, alt: '', loading: 'lazy', decoding: 'async', 'data-testid': 'thumb',
    onerror: () => image.replaceWith(iconOf('image')), // few browsers support HEIC or TIFF
  });
  return image;
}
