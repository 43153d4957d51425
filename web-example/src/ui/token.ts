/**
 * The access token: where it comes from and where it is kept.
 *
 * `holdfast` prints a link that ends in #token=…; a fragment never reaches a server or its logs.
 * API calls send the token as a header. The cookie is for requests that can't: <img>, <video> and plain
 * download links. The server accepts the cookie for GET and HEAD only.
 */

const key = 'holdfast.token';

// The characters that RFC 6750 allows in a bearer token. Others could break out of the cookie.
const wellFormed = /^[A-Za-z0-9._~+/=-]+$/;

export function currentToken(): string | null {
  return localStorage.getItem(key);
}

/** Stores a token in this browser. Returns false if its form is wrong. */
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

/** Removes the token from the page's URL, so that it is not bookmarked, shared or kept in the history. */
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

/** Returns the token in the page's URL; some pages leave it there. Null: there is none, or its form is wrong. */
export function tokenInAddress(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  return token !== null && wellFormed.test(token) ? token : null;
}

function setCookie(token: string): void {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `token=${token}; path=/; SameSite=Strict${secure}`;
}
