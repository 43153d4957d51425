/** The few DOM helpers the pages share. Text always goes in as text nodes: names come from strangers. */

import { t } from './language';

type Child = Node | string;
type Attributes = Record<string, string | boolean | ((event: Event) => void)>;

/** Makes an element. A function is a listener (`onclick`), `true` a bare attribute, `false` none. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name.replace(/^on/, ''), value);
    else if (value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children);
  return node;
}

/** The element with this id; the page is broken without it, so its absence is an error. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no element #${id}`);
  return node as T;
}

/** Shows a sentence at the top of the page, or takes it away when there is none. */
export function notice(text: string, kind: 'bad' | 'good' = 'bad'): void {
  const box = byId('notice');
  box.textContent = text;
  box.dataset.kind = kind;
  box.hidden = text === '';
}

/** Lets the user choose files, as a click on an <input type="file"> does. */
export function chooseFiles(options: { multiple?: boolean; accept?: string } = {}): Promise<File[]> {
  const input = el('input', { type: 'file', hidden: true, multiple: options.multiple ?? false, accept: options.accept ?? '' });
  document.body.append(input); // Safari drops the event of an input that is nowhere
  return new Promise((resolve) => {
    const end = () => {
      input.remove();
      resolve([...(input.files ?? [])]);
    };
    input.addEventListener('change', end);
    input.addEventListener('cancel', end);
    input.click();
  });
}

/** Opens a modal dialog and answers with its return value once it closes ("" for Escape). */
export function ask(dialog: HTMLDialogElement): Promise<string> {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

/** Asks before something that can't be taken back. */
export async function confirm(title: string, text: string, action: string): Promise<boolean> {
  const answer = await ask(
    el('dialog', { class: 'dialog', 'aria-labelledby': 'confirm-title', 'data-testid': 'confirm' },
      el('form', { method: 'dialog', class: 'stack' },
        el('h2', { id: 'confirm-title' }, title),
        el('p', {}, text),
        el('div', { class: 'buttons end' },
          el('button', { value: '', autofocus: true }, t('Cancel')),
          el('button', { value: 'yes', class: 'danger solid', 'data-testid': 'confirm-yes' }, action)))),
  );
  return answer === 'yes';
}
