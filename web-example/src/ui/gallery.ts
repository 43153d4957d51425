/** Shows the files of a text: pictures, videos and sounds in the page, all others by name. */

import type { Holdfast, MarkdownFile } from '@holdfast/client';
import { el } from './dom';
import { iconOf } from './kind';
import { explain, t } from './language';
import { media, type Shown } from './media';
import { lightbox } from './preview';

const inPlace = ['image', 'video', 'audio'];

export function gallery(holdfast: Holdfast, files: MarkdownFile[], closed: AbortSignal): HTMLLIElement[] {
  const shown = files.map(({ id, name, url, type }): Shown => ({ id, name: name || t('Unnamed'), url, kind: type }));
  return shown.map((file, at) => item(holdfast, file, closed, () => void lightbox(holdfast, shown, at)));
}

function item(holdfast: Holdfast, file: Shown, closed: AbortSignal, open: () => void): HTMLLIElement {
  const stage = el('div', { class: 'stage small' }, iconOf(file.kind));
  if (inPlace.includes(file.kind)) {
    media(holdfast, file, closed).then(
      (content) => stage.replaceChildren(...(file.kind === 'image' ? [picture(file, content, open)] : content)),
      (error: unknown) => stage.replaceChildren(el('p', { class: 'bad' }, explain(error))),
    );
  }
  return el('li', { 'data-testid': 'attachment', 'data-type': file.kind },
    stage,
    el('div', { class: 'file-text' },
      el('span', { class: 'name', title: file.name }, file.name),
      el('span', { class: 'actions' },
        file.kind === 'file' ? '' : el('button', { type: 'button', class: 'quiet', 'aria-label': `${t('Preview')}: ${file.name}`, onclick: open }, t('Preview')),
        el('a', { class: 'button quiet', href: file.url, download: file.name, 'aria-label': `${t('Download')}: ${file.name}` }, t('Download')))));
}

const picture = (file: Shown, content: Node[], open: () => void) =>
  el('button', { type: 'button', class: 'plain', 'aria-label': `${t('Enlarge')}: ${file.name}`, 'data-testid': 'enlarge', onclick: open }, ...content);
