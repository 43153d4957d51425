/** Sharing of a file: grants, where the service has them, and links that expire. */

import type { Access, Grant, Holdfast, StoredFile } from '@holdfast/client';
import { ask, el } from './dom';
import { explain, moment, t } from './language';

const lifetimes: [label: string, seconds: number][] = [[t('One hour'), 3600], [t('One day'), 86_400], [t('One week'), 604_800]];
const choices: [access: Access, label: string][] = [
  ['private', t('Only me')], ['account', t('Everybody of my account and its forms')],
  ['restricted', t('Some people')], ['public', t('Everybody who has the address')],
];

export async function share(holdfast: Holdfast, file: StoredFile): Promise<void> {
  const status = el('p', { role: 'status', 'data-testid': 'share-status' });
  const grants = el('div', { hidden: true });
  const dialog = el('dialog', { class: 'dialog', 'aria-labelledby': 'share-title', 'data-testid': 'share' },
    el('div', { class: 'stack' },
      el('h2', { id: 'share-title' }, t('Share “{name}”', { name: file.name })),
      grants, linkForm(holdfast, file, status), status,
      el('div', { class: 'buttons end' },
        el('button', { type: 'button', class: 'primary', onclick: () => dialog.close() }, t('Close')))));
  const closed = ask(dialog);
  try {
    const grant = await holdfast.grantOf(file.id);
    grants.hidden = grant === null;
    if (grant) grants.append(grantForm(holdfast, file, grant, status));
  } catch (error) {
    setStatus(status, explain(error), true);
  }
  await closed;
}

function setStatus(status: HTMLElement, text: string, bad = false): void {
  status.textContent = text;
  status.classList.toggle('bad', bad);
}

function linkForm(holdfast: Holdfast, file: StoredFile, status: HTMLElement): HTMLFormElement {
  const lifetime = el('select', { name: 'lifetime' }, ...lifetimes.map(([label, seconds]) => el('option', { value: String(seconds) }, label)));
  const address = el('input', { readonly: true, hidden: true, 'aria-label': t('Link'), 'data-testid': 'link', onfocus: () => address.select() });
  const form = el('form', { class: 'stack', onsubmit: (event) => { event.preventDefault(); void make(); } },
    el('div', { class: 'fields' },
      el('label', { class: 'field grow' }, el('span', {}, t('A link that works for')), lifetime),
      el('button', { class: 'align-end', 'data-testid': 'make-link' }, t('Make a link'))),
    address);

  async function make(): Promise<void> {
    try {
      const link = await holdfast.signedLink(file.id, Number(lifetime.value));
      address.value = link.url;
      address.hidden = false;
      address.focus();
      const copied = await navigator.clipboard?.writeText(link.url).then(() => true, () => false);
      setStatus(status, t(copied ? 'Copied. The link works until {time}, for whoever has it.' : 'The link works until {time}, for whoever has it.', { time: moment(link.expires_at) }));
    } catch (error) {
      setStatus(status, explain(error), true);
    }
  }
  return form;
}

function grantForm(holdfast: Holdfast, file: StoredFile, grant: Grant, status: HTMLElement): HTMLFormElement {
  const names = (label: string, values: readonly (string | number)[]) => {
    const input = el('input', { value: values.join(', '), autocomplete: 'off' });
    return { input, field: el('label', { class: 'field' }, el('span', {}, label), input) };
  };
  const users = names(t('Numbers of users, with commas'), grant.users);
  const groups = names(t('Names of groups, with commas'), grant.groups);
  const tokens = names(t('Tokens of public forms, with commas'), grant.tokens);
  const restricted = el('div', { class: 'stack', hidden: grant.access !== 'restricted' }, users.field, groups.field, tokens.field);
  const access = el('select', { name: 'access', 'data-testid': 'access', onchange: () => { restricted.hidden = access.value !== 'restricted'; } },
    ...choices.map(([value, label]) => el('option', { value, selected: value === grant.access }, label)));

  async function save(): Promise<void> {
    const some = access.value === 'restricted';
    try {
      await holdfast.setGrant(file.id, {
        access: access.value as Access,
        users: some ? list(users.input.value).map(Number) : [],
        groups: some ? list(groups.input.value) : [],
        tokens: some ? list(tokens.input.value) : [],
      });
      setStatus(status, t('Saved.'));
    } catch (error) {
      setStatus(status, explain(error), true);
    }
  }
  return el('form', { class: 'stack', 'data-testid': 'grants', onsubmit: (event) => { event.preventDefault(); void save(); } },
    el('label', { class: 'field' }, el('span', {}, t('Who may open it')), access),
    restricted,
    el('div', { class: 'buttons' }, el('button', { 'data-testid': 'save-grants' }, t('Save'))));
}

const list = (text: string) => text.split(',').map((one) => one.trim()).filter((one) => one !== '');
