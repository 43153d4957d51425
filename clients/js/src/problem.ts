/** Errors, and messages that say what to do. */

import { DetailedError } from 'tus-js-client';
import { fill, type Language, type Values } from './i18n.js';
import { messages, sameAs } from './messages.js';

/** A request or an upload that failed. */
export class Problem extends Error {
  /**
   * @param status of the HTTP response; 0 if there was none.
   * @param code the service's own ("FILE_003"), or one of ours; see messages.ts.
   * @param values for the placeholders of the message, and the service's reason.
   */
  constructor(
    readonly status: number,
    readonly code: string,
    readonly values: Values = {},
  ) {
    super(explainCode(status, code, values, 'en'));
  }
}

/** The Problem in a fetch response. */
export async function problemOf(response: Response): Promise<Problem> {
  return inAnswer(response.status, response.headers.get('Content-Type'), await response.text().catch(() => ''));
}

/** The Problem in an answer with this Content-Type. */
export const inAnswer = (status: number, type: string | null | undefined, body: string): Problem =>
  isProxys(status, type) ? new Problem(status, 'proxy') : inBody(status, body);

/**
 * Whether an answer says "not found" but is not the service's, whose errors are JSON, also to HEAD: it is that of a proxy
 * that does not see the service, for instance while it is started again. What is asked for may still be there.
 */
export const isProxys = (status: number, type: string | null | undefined): boolean => [404, 410].includes(status) && !isJson(type);

export const isJson = (type: string | null | undefined): boolean => /\bjson\b/.test(type ?? '');

/** Whether the service says that there is no such file or upload, or no longer. */
export const isGone = (error: unknown): boolean => error instanceof Problem && [404, 410].includes(error.status) && error.code !== 'proxy';

/** The Problem behind an error of this library, fetch, tus-js-client or Uppy. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DetailedError) {
    const response = error.originalResponse;
    if (response) return inBody(response.getStatus(), response.getBody());
    return error.causingError instanceof Problem ? error.causingError : new Problem(0, 'offline');
  }
  const { status, body, code } = (error ?? {}) as { status?: unknown; body?: unknown; code?: unknown }; // of @uppy/aws-s3
  if (error instanceof Error && typeof status === 'number') return inAnswer(status, String(body).startsWith('{') ? 'json' : '', String(body));
  if (error instanceof Error && code === 'NETWORK') return new Problem(0, 'offline');
  if (error instanceof TypeError) return new Problem(0, 'offline'); // fetch: no connection, or refused by CORS
  if (error instanceof Error && error.cause instanceof Error) return toProblem(error.cause); // Uppy's NetworkError
  return new Problem(0, 'unknown', { status: 0, reason: String(error) });
}

/** One or two sentences: what happened, and what to do. */
export function explain(error: unknown, language: Language = 'en'): string {
  const problem = toProblem(error);
  if (problem.code === 'unknown' && error instanceof Error && !(error instanceof Problem)) return error.message;
  const { status, code, values } = problem;
  return explainCode(status, code, values, language);
}

function explainCode(status: number, code: string, values: Values, language: Language): string {
  const message = messages[code] ?? messages[sameAs[code] ?? ''] ?? messages[sameAs[status] ?? ''] ?? messages.unknown;
  return fill(message?.[language] ?? code, { reason: '', ...values, status }, language).trim();
}

/** Reads {"code", "message", "details": {"reason"}}, the service's error body. */
export function inBody(status: number, body: string): Problem {
  try {
    const { code, details } = JSON.parse(body) as Record<string, unknown> & { details?: { reason?: unknown } };
    const reason = details?.reason;
    return new Problem(status, typeof code === 'string' ? code : '', { reason: typeof reason === 'string' ? reason : '' });
  } catch {
    return new Problem(status, ''); // no JSON, or null
  }
}
