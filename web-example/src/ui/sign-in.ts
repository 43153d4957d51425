/** Asks the user for a token. Concurrent calls share one form. */

import { Problem } from '@holdfast/client';
import { ask, el } from './dom';
import { explain, t } from './language';
import { forgetToken, keepToken } from './token';

let asking: Promise<void> | null = null;

/** Resolves when the user has entered a token; rejects if the user closes the form. */
export function askForToken(why = ''): Promise<void> {
  asking ??= question(why).finally(() => {
    asking = null;
  });
  return asking;
}

/** Discards a token that the server refused, tells the user, and asks for another. */
export function tokenRefused(): Promise<void> {
  forgetToken();
  return askForToken(explain(new Problem(401, 'AUTH_001')));
}

async function question(why: string): Promise<void> {
  const input = el('input', {
    id: 'token', name: 'token', type: 'password', required: true, autofocus: true,
    autocomplete: 'off', spellcheck: 'false', placeholder: 'hf_…', 'aria-describedby': 'token-why',
  });
  const problem = el('p', { id: 'token-why', class: 'bad', role: 'alert', 'data-testid': 'token-why' }, why);
  const form = el('form', { method: 'dialog', class: 'stack', 'data-testid': 'token-form' },
    el('h2', { id: 'token-title' }, t('Who is asking?')),
    el('p', {}, t('Holdfast prints a link with your token when it starts. Open that link, or paste the token here.')),
    problem,
    el('label', { class: 'field' }, el('span', {}, t('Token')), input),
    el('div', { class: 'buttons end' },
      el('button', { value: 'yes', class: 'primary', 'data-testid': 'token-submit' }, t('Continue'))));

  form.addEventListener('submit', (event) => {
    // Users often paste the whole link instead of the token.
    const pasted = input.value.trim().replace(/^.*#token=/, '');
    if (keepToken(pasted)) return;
    event.preventDefault();
    problem.textContent = t('A token has no spaces or special characters.');
    input.select();
  });

  const answer = await ask(el('dialog', { class: 'dialog', 'aria-labelledby': 'token-title' }, form));
  if (answer !== 'yes') throw new Problem(401, 'signed_out');
}
