/** A tab list with the keyboard rules of WAI-ARIA: one tab stop, and the arrow keys select the other tabs. */

/** `shown` is called with the id of the tab that was opened. */
export function tabs(list: HTMLElement, shown: (id: string) => void): void {
  const all = [...list.querySelectorAll<HTMLElement>('[role=tab]')];
  const open = (tab: HTMLElement) => {
    for (const one of all) {
      one.ariaSelected = String(one === tab);
      one.tabIndex = one === tab ? 0 : -1;
      const panel = document.getElementById(one.getAttribute('aria-controls') ?? '');
      if (panel) panel.hidden = one !== tab;
    }
    shown(tab.id);
  };
  for (const tab of all) tab.addEventListener('click', () => open(tab));
  list.addEventListener('keydown', ({ key }) => {
    const at = all.findIndex((one) => one.ariaSelected === 'true');
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 }[key];
    if (next === undefined) return;
    const tab = all[(next + all.length) % all.length];
    tab?.focus();
    tab?.click();
  });
}
