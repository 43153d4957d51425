/** Sizes, durations and dates for people. */

import type { Language } from './i18n.js';

const units = ['B', 'KB', 'MB', 'GB', 'TB'];

/** 0 B, 1.5 KB, 40 MB: units of 1024, as in Uppy, so that both show the same number. */
export function bytes(size: number, language: Language = 'en'): string {
  let [n, step] = [size, 0];
  while (n >= 1024 && step < units.length - 1) {
    n /= 1024;
    step++;
  }
  const digits = step === 0 || n >= 99.95 ? 0 : 1;
  return `${n.toLocaleString(language, { maximumFractionDigits: digits })} ${units[step]}`;
}

/** 48 s, 3 min 20 s, 2 h 5 min. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const s = Math.max(1, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** A date and time in the reader's time zone; text that is not a date is returned unchanged. */
export function dateTime(text: string, language: Language = 'en'): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(date);
}
