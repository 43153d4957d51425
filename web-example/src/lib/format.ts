/** Numbers, dates and spans as people read them. */

const whole = new Intl.NumberFormat('en');
const units = ['B', 'KB', 'MB', 'GB', 'TB'];

/** 0 B, 1.5 KB, 40 MB: steps of 1024, as Uppy counts, so that both show the same number. */
export function bytes(n: number): string {
  let step = 0;
  while (n >= 1024 && step < units.length - 1) {
    n /= 1024;
    step++;
  }
  const digits = step === 0 || n >= 99.95 ? 0 : 1;
  return `${n.toFixed(digits).replace(/\.0$/, '')} ${units[step]}`;
}

/** 104,857,601: where a rounded size would hide the one byte that matters. */
export const exact = (n: number): string => whole.format(n);

/** 48 s, 3 min 20 s, 2 h 5 min. */
export function span(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const s = Math.max(1, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** A moment in the reader's own zone and language; what can't be read as one stays as it came. */
export function moment(text: string): string {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : dateAndTime.format(date);
}
