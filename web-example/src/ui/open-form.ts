/** A form for users without an account: a message and files, sent with the token in its URL. */

import { attachmentType, type Holdfast, markdownLink, type UploadedFile } from '@holdfast/client';
import { byId, chooseFiles, el, notice } from './dom';
import { takeFiles } from './drop';
import { bytes, t } from './language';
import { send } from './sending';

export function openForm(holdfast: Holdfast): void {
  const files = new Set<File>();
  const chosen = el('ul', { class: 'files', 'data-testid': 'chosen' });
  const sending = el('ul', { class: 'files', 'aria-live': 'polite' });
  const message = el('textarea', { name: 'message', rows: '4' });
  const submit = el('button', { class: 'primary', 'data-testid': 'send' }, t('Send'));
  const add = (more: File[]) => {
    for (const file of more) {
      files.add(file);
      const row = el('li', { class: 'file' },
        el('span', { class: 'file-text' }, el('span', { class: 'name' }, file.name), el('span', { class: 'muted' }, bytes(file.size))),
        el('button', { type: 'button', class: 'quiet', 'aria-label': `${t('Take out')}: ${file.name}`, onclick: () => { files.delete(file); row.remove(); } }, t('Take out')));
      chosen.append(row);
    }
  };
  const drop = el('button', { type: 'button', class: 'drop', 'data-testid': 'choose', onclick: () => void chooseFiles({ multiple: true }).then(add) },
    t('Choose files, or drop them here'));
  takeFiles(drop, add);

  async function sendAll(): Promise<void> {
    if (files.size === 0) return notice(t('Choose a file first.'));
    notice('');
    submit.disabled = drop.disabled = true;
    const all = [...files];
    files.clear();
    chosen.replaceChildren();
    const sent = (await Promise.all(all.map((file) => send(holdfast, file, sending)))).filter((one) => one !== null);
    submit.disabled = drop.disabled = false;
    if (sent.length > 0) byId('form').replaceChildren(thanks(message.value, sent));
  }
  byId('form').replaceChildren(
    el('form', { class: 'card stack', 'aria-label': t('Send files'), 'data-testid': 'open-form', onsubmit: (event) => { event.preventDefault(); void sendAll(); } },
      el('label', { class: 'field' }, el('span', {}, t('Message')), message),
      drop, el('p', { class: 'muted' }, t('Up to {size} each.', { size: bytes(holdfast.service.maxFileSize) })),
      chosen, sending,
      el('div', { class: 'buttons' }, submit)));
}

function thanks(message: string, files: UploadedFile[]): HTMLElement {
  const links = files.map(({ name, url }) => markdownLink(name, url, attachmentType(name) === 'image'));
  const title = el('h2', { tabindex: '-1', 'data-testid': 'thanks' }, t('Thank you. Everything has arrived.'));
  const shown = el('div', { class: 'card stack' }, title,
    el('ul', { class: 'files', 'data-testid': 'open-form-sent' }, ...files.map(({ name, size, verified }) => el('li', { class: 'file' },
      el('span', { class: 'file-text' }, el('span', { class: 'name' }, name),
        el('span', { class: 'muted' }, `${bytes(size)}${verified ? ` · ${t('compared, the same')}` : ''}`))))),
    el('details', {}, el('summary', {}, t('What a product would keep of it')),
      el('pre', { tabindex: '0', role: 'region', 'aria-label': t('Text in Markdown'), 'data-testid': 'kept' }, [message, ...links].filter((one) => one !== '').join('\n\n'))));
  requestAnimationFrame(() => title.focus()); // the button that had the focus is gone
  return shown;
}
