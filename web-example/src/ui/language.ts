/**
 * The page's language. The sources have the English texts, which are the keys of the German ones in de.ts. A test
 * checks that none is missing there.
 */

import { explain as explained, fill, format, type Language, pickLanguage, type Values } from '@holdfast/client';
import { de } from './de';

const key = 'holdfast.language';

export const language: Language = pickLanguage([localStorage.getItem(key) ?? '', ...navigator.languages]);

/** Returns a text in the page's language, with values in its {placeholders}. */
export const t = (english: string, values: Values = {}): string =>
  fill(language === 'de' ? (de[english] ?? english) : english, values, language);

export const bytes = (n: number): string => format.bytes(n, language);
export const moment = (text: string): string => format.dateTime(text, language);
export const explain = (error: unknown): string => explained(error, language);

/** Translates the page's HTML: texts of [data-t], labels of [data-t-label]. */
export function translatePage(): void {
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll('[data-t]')) node.textContent = t(node.textContent ?? '');
  for (const node of document.querySelectorAll('[data-t-label]')) node.ariaLabel = t(node.ariaLabel ?? '');
}

/** The button that shows the page in the other language. */
export function languageButton(button: HTMLElement): void {
  const other = language === 'de' ? 'en' : 'de';
  button.textContent = { de: 'Deutsch', en: 'English' }[other];
  button.lang = other;
  button.addEventListener('click', () => {
    localStorage.setItem(key, other);
    location.reload();
  });
}
