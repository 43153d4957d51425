/** A row for a file that is being uploaded: progress, speed, time left; pause, resume, cancel. */

import { format, type Holdfast, type Progress, refusal, type UploadedFile } from '@holdfast/client';
import { el, notice } from './dom';
import { bytes, explain, t } from './language';

/** Uploads a file and shows it in `list` until it is complete. Null: it was refused, or the user has cancelled it. */
export async function send(holdfast: Holdfast, file: File, list: HTMLElement): Promise<UploadedFile | null> {
  const problem = refusal(file, holdfast.service.maxFileSize);
  if (problem) {
    notice(explain(problem));
    return null;
  }
  const status = el('span', { class: 'muted', 'data-testid': 'sending-state' }, t('Uploading…'));
  const bar = el('progress', { max: '1', value: '0', 'aria-label': `${t('Upload progress')}: ${file.name}` });
  const button = (label: string, testid: string, act: () => unknown, style = '') =>
    el('button', { type: 'button', class: `quiet ${style}`, 'data-testid': testid, 'aria-label': `${label}: ${file.name}`, onclick: () => void act() }, label);
  const pause = button(t('Pause'), 'sending-pause', async () => { await task.pause(); show(t('Paused.'), true); });
  const resume = button(t('Resume'), 'sending-resume', () => { show(t('Uploading…')); return follow(task.resume()); });
  const row = el('li', { class: 'file', 'data-testid': 'sending-row' },
    el('span', { class: 'file-text' }, el('span', { class: 'name' }, file.name), status, bar),
    el('span', { class: 'actions' }, pause, resume, button(t('Cancel'), 'sending-cancel', () => cancel(), 'danger')));

  const show = (text: string, stopped = false) => {
    status.textContent = text;
    status.classList.remove('bad');
    pause.hidden = stopped;
    resume.hidden = !stopped;
  };
  show(t('Uploading…'));
  list.append(row);
  const task = holdfast.uploadFile(file, {
    onProgress: (progress) => { bar.value = progress.total > 0 ? progress.sent / progress.total : 1; show(inWords(progress)); },
    onRetry: () => show(t('Interrupted. Trying again by itself…')),
    onCheck: () => show(t('Comparing what has arrived…')),
  });

  let end: (file: UploadedFile | null) => void;
  const ended = new Promise<UploadedFile | null>((resolve) => { end = resolve; });
  async function follow(done: Promise<UploadedFile>): Promise<void> {
    try {
      const uploaded = await done;
      row.remove();
      end(uploaded);
    } catch (error) {
      show(explain(error), true);
      status.classList.add('bad');
    }
  }
  async function cancel(): Promise<void> {
    row.remove();
    end(null); // at once, without waiting for the service, which removes the unfinished upload by itself
    await task.abort().catch(() => {});
  }
  void follow(task.done);
  return ended;
}

function inWords({ sent, total, speed, left }: Progress): string {
  const part = t('{part} of {size}', { part: bytes(sent), size: bytes(total) });
  if (speed === null || left === null) return part;
  return `${part} · ${bytes(speed)}/s · ${t('{time} left', { time: format.duration(left) })}`;
}
