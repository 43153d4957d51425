/** What every page does first: styles, token, configuration. */

import '../style.css';
import { type Config, loadConfig } from './api';
import { byId, notice } from './dom';
import { explain } from './problem';
import { askForToken } from './sign-in';
import { currentToken, takeTokenFromAddress } from './token';

/** Runs a page's own code once there is a token and a configuration; its failures are shown. */
export async function startPage(run: (config: Config) => Promise<void> | void): Promise<void> {
  takeTokenFromAddress();
  // A second link opened in the same tab changes only the fragment, which loads nothing.
  addEventListener('hashchange', () => {
    if (location.hash.startsWith('#token=')) location.reload();
  });
  byId('change-token').addEventListener('click', () => {
    askForToken().then(() => location.reload(), () => {});
  });

  try {
    const config = await loadConfig();
    if (currentToken() === null) await askForToken();
    await run(config);
  } catch (error) {
    notice(explain(error));
  }
}
