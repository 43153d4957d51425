/** The list of the user's own files: newest first, a page at a time. */

import { type FilePage, listFiles, remove, type StoredFile } from './api';
import { confirm, el, notice } from './dom';
import { bytes, moment } from './format';
import { iconOf, kindOf } from './kind';
import { preview } from './preview';
import { explain } from './problem';

const thumbnailUpTo = 4 * 1024 * 1024; // bytes: a thumbnail costs the whole image

export class FileList {
  #next: string | null = null;
  readonly #rows = el('ul', { class: 'files', 'data-testid': 'file-list' });
  readonly #empty = el('p', { class: 'empty', hidden: true, 'data-testid': 'no-files' }, 'No files yet. What you upload appears here.');
  readonly #more = el('button', { type: 'button', hidden: true, 'data-testid': 'load-more', onclick: () => void this.more() }, 'Load more');

  constructor(
    private readonly base: string,
    private readonly pageSize: number,
    place: HTMLElement,
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
      page = await listFiles(this.base, this.pageSize, after);
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
    const row = el('li', { class: 'file', 'data-testid': 'file', 'data-id': file.id },
      el('span', { class: 'thumb', 'data-kind': kind },
        kind === 'image' && file.size <= thumbnailUpTo ? thumbnail(file) : iconOf(kind)),
      el('span', { class: 'file-text' },
        el('span', { class: 'name', title: file.name, 'data-testid': 'file-name' }, file.name),
        el('span', { class: 'muted' },
          bytes(file.size), ' · ', el('time', { datetime: file.created_at }, moment(file.created_at)))),
      el('span', { class: 'actions' },
        kind === 'other' ? '' : el('button', { type: 'button', class: 'quiet', 'aria-label': `Preview ${file.name}`, 'data-testid': 'preview-open', onclick: () => void preview(file) }, 'Preview'),
        el('a', { class: 'button quiet', href: file.url, download: file.name, 'aria-label': `Download ${file.name}`, 'data-testid': 'download' }, 'Download'),
        el('button', { type: 'button', class: 'quiet danger', 'aria-label': `Delete ${file.name}`, 'data-testid': 'delete', onclick: () => void this.#delete(file, row) }, 'Delete')));
    return row;
  }

  async #delete(file: StoredFile, row: HTMLElement): Promise<void> {
    if (!(await confirm('Delete this file?', `“${file.name}” (${bytes(file.size)}) will be gone for good.`, 'Delete'))) return;
    try {
      await remove(file.url);
      notice('');
      row.remove();
      this.#empty.hidden = this.#rows.childElementCount > 0 || this.#next !== null;
    } catch (error) {
      notice(`“${file.name}” was not deleted. ${explain(error)}`);
    }
  }
}

function thumbnail(file: StoredFile): HTMLImageElement {
  const image = el('img', {
    src: file.url, alt: '', loading: 'lazy', decoding: 'async', 'data-testid': 'thumb',
    onerror: () => image.replaceWith(iconOf('image')), // few browsers draw HEIC or TIFF
  });
  return image;
}
