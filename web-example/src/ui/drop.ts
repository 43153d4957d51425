/** Files that are dropped on an element or pasted into it. */

/** Calls `take` with the files. Anything else that is dropped or pasted, such as text, is left to the browser. */
export function takeFiles(place: HTMLElement, take: (files: File[]) => void): void {
  const within = (data: DataTransfer | null, event: Event) => {
    const files = [...(data?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    take(files);
  };
  place.addEventListener('paste', (event) => within(event.clipboardData, event));
  place.addEventListener('drop', (event) => {
    delete place.dataset.over;
    within(event.dataTransfer, event);
  });
  place.addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault(); // otherwise the browser would leave the page and open the file
    place.dataset.over = '';
  });
  place.addEventListener('dragleave', () => { delete place.dataset.over; });
}
