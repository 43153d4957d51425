/**
 * The access token: where it comes from and where it is kept.
 *
 * `holdfast` prints a link that ends in #token=…; a fragment never reaches a server or its logs.
 * API calls send the token as a header. The cookie is for what can't: <img>, <video> and plain
 * download links. The server takes the cookie for GET and HEAD only.
 */

const key = 'holdfast.token';

// What RFC 6750 allows in a bearer token. Anything else could break out of the cookie.
const wellFormed = /^[A-Za-z0-9._~+/=-]+$/;

export function currentToken(): string | null {
  return localStorage.getItem(key);
}

/** Keeps a token for this browser. False if it can't be one. */
export function keepToken(token: string): boolean {
  if (!wellFormed.test(token)) return false;
  localStorage.setItem(key, token);
  setCookie(token);
  return true;
}

export function forgetToken(): void {
  localStorage.removeItem(key);
  document.cookie = 'token=; path=/; max-age=0; SameSite=Strict';
}

/** Takes the token out of the address, so that it is not bookmarked, shared or left in the history. */
export function takeTokenFromAddress(): void {
  const token = tokenInAddress();
  if (token !== null) {
    keepToken(token);
    history.replaceState(null, '', location.pathname + location.search);
    return;
  }
  const kept = currentToken();
  if (kept !== null) setCookie(kept); // the cookie ends with the browser session, the token does not
}

/** The token in the page's address; it stays there on pages that live by it. Null: none that can be one. */
export function tokenInAddress(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  return token !== null && wellFormed.test(token) ? token : null;
}

function setCookie(token: string): void {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `token=${token}; path=/; SameSite=Strict${secure}`;
}
