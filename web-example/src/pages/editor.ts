/** A text editor: files that are dropped or pasted are uploaded, and linked at the position of the cursor. */

import { attachmentType, type Holdfast, markdownLink } from '@holdfast/client';
import { byId, chooseFiles } from '../ui/dom';
import { takeFiles } from '../ui/drop';
import { gallery } from '../ui/gallery';
import { t } from '../ui/language';
import { startPage } from '../ui/page';
import { send } from '../ui/sending';
import { tabs } from '../ui/tabs';

const draft = 'holdfast.draft';
const text = byId<HTMLTextAreaElement>('text');

void startPage((holdfast) => {
  text.value = (localStorage.getItem(draft) ?? '').replace(places, ''); // a reload has ended these uploads
  let shown = new AbortController();

  const changed = () => {
    localStorage.setItem(draft, text.value);
    byId('count').textContent = String(holdfast.parseMarkdownFiles(text.value).length);
  };
  const take = (files: File[]) => {
    for (const file of files) void insert(holdfast, file, changed);
  };
  text.addEventListener('input', changed);
  takeFiles(text, take);
  byId('attach').addEventListener('click', async () => take(await chooseFiles({ multiple: true })));
  tabs(byId('tabs'), (id) => {
    shown.abort();
    shown = new AbortController();
    const files = id === 'tab-attachments' ? holdfast.parseMarkdownFiles(text.value) : [];
    byId('attachments').replaceChildren(...gallery(holdfast, files, shown.signal));
    byId('no-attachments').hidden = files.length > 0;
  });
  changed();
});

let inserted = 0;
const places = /!?\[(?:[^\]\\]|\\.)*\]\(#upload-\d+\) ?/g;

/** Holds the file's place in the text during the upload, since the user can continue to write. */
async function insert(holdfast: Holdfast, file: File, changed: () => void): Promise<void> {
  const image = attachmentType(file.name) === 'image';
  const place = markdownLink(t('Uploading {name}…', { name: file.name }), `#upload-${++inserted}`, image);
  const before = text.value.slice(0, text.selectionStart);
  text.setRangeText((/(^|\s)$/.test(before) ? '' : ' ') + place + ' ', text.selectionStart, text.selectionEnd, 'end');
  changed();
  const sent = await send(holdfast, file, byId('sending'));
  const at = text.value.indexOf(place);
  if (at < 0) return; // the user has deleted it
  const link = sent ? markdownLink(file.name, sent.url, image) : '';
  text.setRangeText(link, at, at + place.length + (sent ? 0 : 1), 'preserve');
  changed();
}
