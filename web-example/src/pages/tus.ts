/** One file with tus-js-client alone: the least that a good upload form needs. */

import { Upload } from 'tus-js-client';
import type { Config } from '../lib/api';
import { byId, confirm, el, notice } from '../lib/dom';
import { bytes, exact, moment, span } from '../lib/format';
import { startPage } from '../lib/page';
import { explain, statusOf } from '../lib/problem';
import { tokenRefused } from '../lib/sign-in';
import { Speed } from '../lib/speed';
import { tusOptions, worthRetrying } from '../lib/tus-options';
import { markContinued, showUnfinished } from '../lib/unfinished';

type State = 'empty' | 'ready' | 'running' | 'waiting' | 'paused' | 'failed' | 'done';

const form = byId<HTMLFormElement>('upload');
const fileInput = byId<HTMLInputElement>('file');
const chunkSelect = byId<HTMLSelectElement>('chunk');
const bar = byId<HTMLProgressElement>('bar');

let config: Config;
let upload: Upload | null = null;
let state: State = 'empty';
let sentSoFar = 0;
const speed = new Speed();

void startPage(async (loaded) => {
  config = loaded;
  byId('hint').textContent =
    `Up to ${bytes(config.max_file_size)}. After a reload choose the same file again: it goes on where it stopped.`;
  fileInput.addEventListener('change', choose);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void start();
  });
  byId('pause').addEventListener('click', pause);
  byId('resume').addEventListener('click', resume);
  byId('stop').addEventListener('click', () => void stop());
  // Once the browser knows that it is online again there is no reason to make the user click.
  addEventListener('online', () => {
    if (state === 'failed') resume();
  });
  // A line that stands still reports nothing: without this the last speed would stay on show.
  setInterval(() => {
    if (upload && state === 'running') progress(sentSoFar, fileInput.files?.[0]?.size ?? 0);
  }, 1000);
  choose(); // browsers keep a chosen file across some reloads
  await showUnfinished('tus::tus-br');
});

function enter(next: State, status: string): void {
  state = next;
  form.dataset.state = next;
  byId('status').textContent = status;
  const busy = next === 'running' || next === 'waiting';
  byId('start').hidden = !['empty', 'ready', 'done'].includes(next);
  byId<HTMLButtonElement>('start').disabled = next !== 'ready';
  byId('pause').hidden = !busy;
  byId('resume').hidden = next !== 'paused' && next !== 'failed';
  byId('stop').hidden = !busy && next !== 'paused' && next !== 'failed';
  fileInput.disabled = chunkSelect.disabled = !['empty', 'ready', 'done'].includes(next);
  if (!busy) {
    byId('speed').textContent = byId('left').textContent = '–';
    speed.reset();
  }
}

function choose(): void {
  notice('');
  upload = null;
  progress(0, 0);
  const file = fileInput.files?.[0];
  if (!file) return enter('empty', 'Choose a file.');
  if (file.size > config.max_file_size) {
    notice(`“${file.name}” has ${exact(file.size)} bytes; this server takes at most ${exact(config.max_file_size)} (${bytes(config.max_file_size)}). Nothing was sent.`);
    return enter('empty', 'Choose a smaller file.');
  }
  enter('ready', `${bytes(file.size)}, ready to start.`);
}

async function start(): Promise<void> {
  const file = fileInput.files?.[0];
  if (!file || state !== 'ready') return;
  let address: string | null = null; // told again after every pause and interruption
  const current = new Upload(file, {
    ...tusOptions,
    endpoint: `${config.base}/tus/`,
    chunkSize: Number(chunkSelect.value) || Infinity,
    metadata: { filename: file.name, filetype: file.type || 'application/octet-stream' },
    onUploadUrlAvailable: () => {
      if (current.url !== address) log(`Address: ${current.url}`);
      address = current.url;
    },
    onProgress: (sent, total) => {
      if (state === 'waiting') enter('running', 'Uploading…');
      progress(sent, total);
    },
    onShouldRetry: (error, attempt) => {
      if (!worthRetrying(error)) return false;
      const pause = tusOptions.retryDelays[attempt] ?? 0;
      enter('waiting', 'Interrupted. Trying again by itself…');
      log(`${explain(error)} Attempt ${attempt + 1} in ${pause / 1000} s.`);
      return true;
    },
    onSuccess: () => {
      progress(file.size, file.size);
      enter('done', 'Uploaded.');
      log(el('span', {}, 'Done. ', el('a', { href: fileUrl(current), download: file.name, 'data-testid': 'result' }, `Download ${file.name}`)));
      fileInput.value = '';
    },
    onError: failed,
  });
  upload = current;
  byId('log').replaceChildren();
  enter('running', 'Uploading…');
  markContinued(file.name, file.size);

  const previous = (await current.findPreviousUploads()).at(-1);
  if (previous) {
    current.resumeFromPreviousUpload(previous);
    enter('running', 'Going on with an unfinished upload of this file…');
    log(`An upload of this file, started ${moment(previous.creationTime)}, is unfinished. Going on with it.`);
  }
  current.start();
}

function pause(): void {
  void upload?.abort();
  enter('paused', 'Paused.');
  log('Paused.');
}

function resume(): void {
  if (!upload) return;
  notice('');
  enter('running', 'Uploading…');
  log('Resumed.');
  upload.start();
}

async function stop(): Promise<void> {
  const stopping = upload;
  if (!stopping) return;
  const wasBusy = state === 'running' || state === 'waiting';
  if (wasBusy) pause();
  if (!(await confirm('Stop this upload?', 'What has arrived so far is deleted on the server.', 'Stop and delete'))) {
    if (wasBusy) resume();
    return;
  }
  try {
    await stopping.abort(true);
    log('Stopped; deleted on the server.');
    choose();
  } catch (error) {
    failed(error);
  }
}

function failed(error: unknown): void {
  const why = explain(error);
  notice(why);
  log(why);
  enter('failed', 'Interrupted. What has arrived is kept.');
  if (statusOf(error) === 401) tokenRefused().then(resume, () => {});
}

function progress(sent: number, total: number): void {
  sentSoFar = sent;
  const done = total > 0 ? sent / total : 0;
  bar.value = done;
  byId('percent').textContent = total > 0 ? `${Math.floor(done * 100)} %` : '';
  byId('sent').textContent = total > 0 ? `${bytes(sent)} of ${bytes(total)}` : '–';
  if (state !== 'running') return;
  const now = speed.at(sent);
  if (now === null) return;
  byId('speed').textContent = `${bytes(now)}/s`;
  byId('left').textContent = now > 0 ? span((total - sent) / now) : '–';
}

/** The finished file has the upload's id. */
function fileUrl({ url }: Upload): string {
  return `${config.base}/${(url ?? '').split('/').pop()}`;
}

function log(entry: string | Node): void {
  const time = new Date().toLocaleTimeString();
  byId('log').append(el('li', {}, el('time', {}, time), ' ', entry));
}
