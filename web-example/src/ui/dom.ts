/** The DOM helpers of the pages. Text is always inserted as text nodes, since file names are not trusted. */

import { t } from './language';

type Child = Node | string;
type Attributes = Record<string, string | boolean | ((event: Event) => void)>;

/** Creates an element. A function is a listener (`onclick`), `true` an attribute without a value, `false` none. */
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

/** Returns the element with this id. It throws if there is none, since the page is broken then. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no element #${id}`);
  return node as T;
}

/** Shows a message at the top of the page, or hides it if the message is empty. */
export function notice(text: string, kind: 'bad' | 'good' = 'bad'): void {
  const box = byId('notice');
  box.textContent = text;
  box.dataset.kind = kind;
  box.hidden = text === '';
}

/** Lets the user choose files, as a click on an <input type="file"> does. */
export function chooseFiles(options: { multiple?: boolean; accept?: string } = {}): Promise<File[]> {
  const input = el('input', { type: 'file', hidden: true, multiple: options.multiple ?? false, accept: options.accept ?? '' });
  document.body.append(input); // Safari drops the event of an input that is not in the document
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

/** Opens a modal dialog and resolves to its return value when it closes ("" for Escape). */
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

/** Asks the user to confirm an action that can't be undone. */
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
