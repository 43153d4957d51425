// Checks that a page fits on a screen: nothing is cut off, exceeds its container or covers another element.

import assert from 'node:assert/strict';

/** Widths of the smallest phone, a common one, a tablet and a laptop, in pixels. */
export const widths = [320, 390, 768, 1280];

/** Measures the page in its current state at each of the widths, and fails with a list of what does not fit. */
export async function fits(page, what) {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 844 });
    await page.evaluate(() => new Promise((drawn) => { requestAnimationFrame(() => requestAnimationFrame(drawn)); }));
    assert.deepEqual(await page.evaluate(misfits), [], `${what}, ${width} pixels wide`);
  }
}

/** Runs in the page. */
function misfits() {
  const found = [];
  const name = (element) => `${element.localName}${element.id && `#${element.id}`}${[...element.classList].map((one) => `.${one}`).join('')} “${
    (element.getAttribute('aria-label') ?? element.textContent ?? '').trim().slice(0, 40)}”`;
  const box = (element) => element.getBoundingClientRect();
  const text = ({ left, right }) => `${Math.round(left)} to ${Math.round(right)}`;
  const slack = 1; // pixels: edges are rounded

  const wider = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wider > 0) found.push(`the page can be scrolled sideways by ${wider} pixels`);

  // Where a dialog is open, only that can be used.
  const dialog = [...document.querySelectorAll('dialog[open]')].at(-1);
  const all = [...(dialog ?? document.body).querySelectorAll('*')].filter((element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && box(element).width > 1 && box(element).height > 1
    && box(element).right > 0 && !element.closest('svg, .skip')); // the skip link is off-screen until it has the focus

  for (const element of all) {
    const { overflowX, overflowY, textOverflow } = getComputedStyle(element);
    // Elements that scroll themselves: documents, preformatted text, and fields, whose text scrolls with the cursor.
    if (element.matches('html, body, pre, pre *, iframe, textarea, input, select, progress, canvas, video, audio, img, dialog')) continue;
    const [x, y] = [element.scrollWidth - element.clientWidth, element.scrollHeight - element.clientHeight];
    const inline = element.clientWidth === 0; // has no box of its own
    if (!inline && x > slack && (overflowX !== 'visible' || textOverflow === 'ellipsis')) found.push(`${name(element)} is cut by ${x} pixels`);
    if (!inline && y > slack && overflowY === 'hidden') found.push(`${name(element)} is cut by ${y} pixels below`);
    const block = element.closest('.card, .dialog, .gallery li, .notice');
    for (const around of [document.documentElement, block]) {
      if (!around || around === element) continue;
      const [inner, outer] = [box(element), around === document.documentElement ? { left: 0, right: innerWidth } : box(around)];
      if (inner.left < outer.left - slack || inner.right > outer.right + slack) {
        found.push(`${name(element)} reaches from ${text(inner)}, over ${around.className || 'the screen'}: ${text(outer)}`);
      }
    }
  }

  const controls = all.filter((element) => element.matches('button, a.button, nav a, input:not([type=file]), select, textarea, summary, [role=tab]'));
  for (const control of controls) {
    const target = box(control.closest('label') ?? control);
    if (control.matches('.uppy-Dashboard-browse')) continue; // a link in a sentence may be as low as the line
    if (target.height < 24 || target.width < 24) found.push(`${name(control)} is smaller than a finger: 24 pixels (WCAG 2.2, 2.5.8)`);
    for (const other of controls) {
      if (control === other || control.contains(other) || other.contains(control)) continue;
      const [a, b] = [box(control), box(other)];
      const over = Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack;
      if (over && control.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) found.push(`${name(control)} lies under ${name(other)}`);
    }
  }
  return found;
}
