/** What went wrong, in words a person can act on. */

import { DetailedError } from 'tus-js-client';

/** An answer of the server that is not what was asked for. Status 0: there was no answer. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The Problem in a fetch response. */
export async function problemOf(response: Response): Promise<Problem> {
  return new Problem(response.status, inWords(response.status, await response.text().catch(() => '')));
}

/** The HTTP status behind an error of any origin; 0 when no answer came. */
export function statusOf(error: unknown): number {
  if (error instanceof Problem) return error.status;
  if (error instanceof DetailedError) return error.originalResponse?.getStatus() ?? statusOf(error.causingError);
  // Uppy wraps what looks like a broken line in its own NetworkError.
  if (error instanceof Error && error.cause instanceof Error) return statusOf(error.cause);
  return 0;
}

/** One or two sentences for the user. */
export function explain(error: unknown): string {
  if (error instanceof Problem) return error.message;
  if (error instanceof DetailedError) {
    const response = error.originalResponse;
    if (response) return inWords(response.getStatus(), response.getBody());
    if (error.causingError instanceof Problem) return error.causingError.message;
    return unreachable;
  }
  if (error instanceof TypeError) return unreachable; // fetch: no connection, or refused by CORS
  if (error instanceof Error && error.cause instanceof DetailedError) return explain(error.cause);
  return error instanceof Error ? error.message : String(error);
}

const unreachable = 'The server can’t be reached. Check the connection.';

// For answers without a readable body: those to HEAD, and those of a proxy in front of the server.
const byStatus: Record<number, string> = {
  401: 'Token refused.',
  403: 'You may not do this with this file.',
  404: 'This file does not exist (any more).',
  409: 'Another upload of this file is at work. Try again.',
  413: 'The file is larger than this server takes.',
  423: 'The file is in use. Try again in a moment.',
  429: 'Too many requests. Try again in a moment.',
  503: 'The server is not ready. Try again in a moment.',
  507: 'The server has no room left.',
};

/** The server's own words where there are some: {"message": …, "details": {"reason": …}}. */
export function inWords(status: number, body: string): string {
  const told = words(body);
  if (told !== '') return told;
  return byStatus[status] ?? `The server answered with status ${status}.`;
}

function words(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null) return '';
    const { message, details } = parsed as { message?: unknown; details?: { reason?: unknown } | null };
    return [message, details?.reason]
      .filter((part): part is string => typeof part === 'string' && part !== '')
      .filter((part, i, all) => all.indexOf(part) === i)
      .map((part) => (/[.!?]$/.test(part) ? part : `${part}.`))
      .join(' ');
  } catch {
    return '';
  }
}
