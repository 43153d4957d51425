/** Texts in English and German, with placeholders: "{name} has {size} bytes". */

export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];
export type Values = Record<string, string | number>;

/** The first of the preferred languages ("de-AT", "en") that we have; English if none. */
export function pickLanguage(wanted: readonly string[]): Language {
  for (const one of wanted) {
    const bare = one.toLowerCase().split('-')[0];
    const known = languages.find((language) => language === bare);
    if (known) return known;
  }
  return 'en';
}

/** Fills the placeholders. Numbers are formatted for the language: 1,234 or 1.234. */
export function fill(text: string, values: Values, language: Language): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => {
    const value = values[name];
    if (value === undefined) return place;
    return typeof value === 'number' ? value.toLocaleString(language) : value;
  });
}
