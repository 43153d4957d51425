/** Uploads one file with the library only: the minimum of a good upload form. */

import { format, type Holdfast, type Problem, type Progress, refusal, type UnfinishedUpload, type UploadOptions, type UploadTask } from '@holdfast/client';
import { byId, confirm, el, notice } from '../ui/dom';
import { bytes, explain, language, moment, t } from '../ui/language';
import { startPage } from '../ui/page';
import { markContinued, showUnfinished } from '../ui/unfinished';

type State = 'empty' | 'ready' | 'running' | 'waiting' | 'paused' | 'failed' | 'done';

const form = byId<HTMLFormElement>('upload');
const fileInput = byId<HTMLInputElement>('file');
const chunkSelect = byId<HTMLSelectElement>('chunk');
const bar = byId<HTMLProgressElement>('bar');

let holdfast: Holdfast;
let task: UploadTask | null = null;
let state: State = 'empty';

void startPage(async (connected) => {
  holdfast = connected;
  byId('hint').textContent =
    t('Up to {size}. After a reload choose the same file again: it goes on where it stopped.', { size: bytes(holdfast.service.maxFileSize) });
  fileInput.addEventListener('change', choose);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    start();
  });
  byId('pause').addEventListener('click', pause);
  byId('resume').addEventListener('click', resume);
  byId('stop').addEventListener('click', () => void stop());
  // When the browser is online again, resume without a click of the user.
  addEventListener('online', () => {
    if (state === 'failed') resume();
  });
  choose(); // browsers keep a chosen file across some reloads
  await showUnfinished(holdfast, 'tus', goOn);
});

function enter(next: State, status: string): void {
  state = next;
  form.dataset.state = next;
  byId('status').textContent = status;
  const busy = next === 'running' || next === 'waiting';
  const idle = ['empty', 'ready', 'done'].includes(next);
  byId('start').hidden = !idle;
  byId<HTMLButtonElement>('start').disabled = next !== 'ready';
  byId('pause').hidden = !busy;
  byId('resume').hidden = next !== 'paused' && next !== 'failed';
  byId('stop').hidden = idle;
  fileInput.disabled = chunkSelect.disabled = !idle;
  if (!busy) byId('speed').textContent = byId('left').textContent = '–';
}

function choose(): void {
  notice('');
  task = null;
  show({ sent: 0, total: 0, speed: null, left: null });
  const file = fileInput.files?.[0];
  if (!file) return enter('empty', t('Choose a file.'));
  const problem = refusal(file, holdfast.service.maxFileSize);
  if (problem) {
    notice(explain(problem));
    return enter('empty', t('Choose another file.'));
  }
  enter('ready', t('{size}, ready to start.', { size: bytes(file.size) }));
}

/** Starts with a file that was chosen again in the list of unfinished uploads. */
function goOn(file: File, upload: UnfinishedUpload): void {
  if (!['empty', 'ready', 'done'].includes(state)) return notice(t('An upload is at work here. Wait for it, or stop it first.'));
  const files = new DataTransfer();
  files.items.add(file);
  fileInput.files = files.files;
  choose();
  start(upload);
}

function start(unfinished?: UnfinishedUpload): void {
  const file = fileInput.files?.[0];
  if (!file || state !== 'ready') return;
  byId('log').replaceChildren();
  enter('running', t('Uploading…'));
  markContinued(file.name, file.size);
  let address: string | null = null; // onAddress is called again after every pause and interruption
  const options: UploadOptions = {
    chunkSize: Number(chunkSelect.value) || Infinity,
    onAddress: (url) => {
      if (url !== address) log(t('Address: {url}', { url }));
      address = url;
    },
    onFound: (startedAt) => {
      enter('running', t('Going on with an unfinished upload of this file…'));
      log(t('An upload of this file, started {time}, is unfinished. Going on with it.', { time: moment(startedAt) }));
    },
    onProgress: (progress) => {
      if (state === 'waiting') enter('running', t('Uploading…'));
      show(progress);
    },
    onRetry: (problem, attempt, delay) => {
      enter('waiting', t('Interrupted. Trying again by itself…'));
      log(t('{why} Attempt {attempt} in {seconds} s.', { why: explain(problem), attempt, seconds: delay / 1000 }));
    },
    onCheck: () => enter('running', t('Comparing what has arrived…')),
  };
  task = unfinished ? unfinished.resume(file, options) : holdfast.uploadFile(file, options);
  void follow(task);
}

async function follow(current: UploadTask): Promise<void> {
  try {
    const { url, name, size, verified } = await current.done;
    show({ sent: size, total: size, speed: null, left: null });
    enter('done', t(verified ? 'Uploaded, and compared: what is stored is the same.' : 'Uploaded.'));
    log(el('span', {}, t('Done.'), ' ', el('a', { href: url, download: name, 'data-testid': 'result' }, `${t('Download')}: ${name}`)));
    fileInput.value = '';
  } catch (problem) {
    if ((problem as Problem).code !== 'aborted') failed(problem);
  }
}

function pause(): void {
  void task?.pause();
  enter('paused', t('Paused.'));
  log(t('Paused.'));
}

function resume(): void {
  if (!task) return;
  const anew = state === 'failed'; // after a pause its promise is still pending
  notice('');
  enter('running', t('Uploading…'));
  log(t('Resumed.'));
  void task.resume();
  if (anew) void follow(task);
}

async function stop(): Promise<void> {
  const stopping = task;
  if (!stopping) return;
  const wasBusy = state === 'running' || state === 'waiting';
  if (wasBusy) pause();
  if (!(await confirm(t('Stop this upload?'), t('What has arrived so far is deleted on the server.'), t('Stop and delete')))) {
    if (wasBusy) resume();
    return;
  }
  const problem = await stopping.abort().then(() => null, explain);
  choose();
  if (problem !== null) notice(problem); // what has arrived is still in the list after a reload
  log(problem ?? t('Stopped; deleted on the server.'));
}

function failed(error: unknown): void {
  const why = explain(error);
  notice(why);
  log(why);
  enter('failed', t('Interrupted. What has arrived is kept.'));
}

function show({ sent, total, speed, left }: Progress): void {
  const done = total > 0 ? sent / total : 0;
  bar.value = done;
  byId('percent').textContent = total > 0 ? `${Math.floor(done * 100)} %` : '';
  byId('sent').textContent = total > 0 ? t('{part} of {size}', { part: bytes(sent), size: bytes(total) }) : '–';
  if (speed === null) return;
  byId('speed').textContent = `${bytes(speed)}/s`;
  byId('left').textContent = left === null ? '–' : format.duration(left);
}

function log(entry: string | Node): void {
  const time = new Date().toLocaleTimeString(language);
  byId('log').append(el('li', {}, el('time', {}, time), ' ', entry));
}
