/** The start of every page: language, frame, token, configuration. */

import '../style.css';
import { bearer, connect, type Credentials, type Holdfast, problemOf } from '@holdfast/client';
import { byId, notice } from './dom';
import { explain, languageButton, t, translatePage } from './language';
import { askForToken, tokenRefused } from './sign-in';
import { currentToken, takeTokenFromAddress } from './token';

type Run = (holdfast: Holdfast) => Promise<void> | void;

/** Runs a page for signed-in users when there is a token and a configuration. It shows errors that the page throws. */
export async function startPage(run: Run): Promise<void> {
  takeTokenFromAddress();
  // A second link that is opened in the same tab changes only the fragment, so the browser does not load the page.
  addEventListener('hashchange', () => {
    if (location.hash.startsWith('#token=')) location.reload();
  });
  byId('change-token').addEventListener('click', () => {
    askForToken().then(() => location.reload(), () => {});
  });
  await start(bearer(currentToken, tokenRefused), async (holdfast) => {
    if (currentToken() === null) await askForToken();
    await run(holdfast);
  });
}

/** Runs a page that needs no signed-in user: its URL has the token. */
export async function startOpenPage(credentials: Credentials, run: Run): Promise<void> {
  byId('pages').hidden = byId('change-token').hidden = true;
  await start(credentials, run);
}

async function start(credentials: Credentials, run: Run): Promise<void> {
  translatePage();
  languageButton(byId('language'));
  const here = location.pathname.split('/').pop() || 'index.html';
  for (const link of document.querySelectorAll<HTMLAnchorElement>('#pages a')) {
    if ((link.pathname.split('/').pop() || 'index.html') === here) link.ariaCurrent = 'page';
  }
  document.title = `${document.querySelector('h1')?.textContent} · Holdfast`;
  byId('change-token').title = t('Use another token');
  try {
    await run(await configured(credentials));
  } catch (error) {
    notice(explain(error));
  }
}

async function configured(credentials: Credentials): Promise<Holdfast> {
  const response = await fetch('/example.json', { cache: 'no-store' });
  if (!response.ok) throw await problemOf(response);
  const { base, max_file_size: maxFileSize } = (await response.json()) as { base: string; max_file_size: number };
  return connect({ base, maxFileSize, credentials });
}
