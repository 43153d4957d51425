/** Uploads several files with Uppy. */

import Uppy, { type Body, type Meta } from '@uppy/core';
import Dashboard from '@uppy/dashboard';
import german from '@uppy/locales/lib/de_DE.js';
import Tus from '@uppy/tus';
import '@uppy/core/css/style.min.css';
import '@uppy/dashboard/css/style.min.css';
import '../uppy.css';
import {
  type Holdfast, Problem, refusal, renewed, type Service, sha256, toProblem, type TusOptions, tusOptions, type UnfinishedUpload, verify, worthRetrying,
} from '@holdfast/client';
import { byId, notice } from '../ui/dom';
import { FileList } from '../ui/file-list';
import { bytes, explain, language, t } from '../ui/language';
import { startPage } from '../ui/page';
import { markContinued, showUnfinished } from '../ui/unfinished';

void startPage(async (holdfast) => {
  const files = new FileList(holdfast, 5, byId('files'));
  const { uppy, claims } = uploader(holdfast);
  uppy.on('upload-success', () => void files.refresh());
  const goOn = async (file: File, { url }: UnfinishedUpload) => {
    let id: string;
    try {
      id = uppy.addFile({ name: file.name, type: file.type, data: file, source: 'unfinished' });
    } catch {
      return; // Uppy says why
    }
    if (!(await claims.claim(url))) {
      uppy.removeFile(id);
      return notice(explain(new Problem(409, 'UPLOAD_001')));
    }
    if (!uppy.getFile(id)) return claims.giveBack(url); // removed meanwhile
    // Uppy would look for an upload of a file with the same date and folder.
    uppy.setFileState(id, { tus: { uploadUrl: url } });
    void uppy.upload();
  };
  await Promise.all([files.refresh(), showUnfinished(holdfast, 'uppy', goOn)]);
});

// No Golden Retriever: it can't store files of this size, so the user would have to choose them again anyway.
// After a reload an upload resumes from the URL that tus-js-client has stored for the file.
function uploader({ service }: Holdfast): { uppy: Uppy<Meta, Body>; claims: TusOptions['urlStorage'] } {
  const options = tusOptions(service);
  const uppy = new Uppy<Meta, Body>({
    ...(language === 'de' ? { locale: german } : {}),
    onBeforeFileAdded(file) {
      const problem = refusal({ name: file.name, size: file.size ?? 0 }, service.maxFileSize);
      notice(problem ? explain(problem) : '');
      return problem === null;
    },
  })
    .use(Dashboard, {
      target: '#uppy',
      inline: true,
      width: '100%',
      height: 360,
      singleFileFullScreen: false,
      theme: 'auto',
      fileManagerSelectionType: 'both',
      note: t('Up to {size} each. Reloaded the page? Add the same file again, and it goes on.', { size: bytes(service.maxFileSize) }),
      proudlyDisplayPoweredByUppy: false, // the footer says it
      showLinkToFileUploadResult: true,
      locale: { strings: { dashboardTitle: t('Upload files'), cancelUpload: t('Cancel and delete') } },
    })
    .use(Tus, {
      ...options,
      limit: 3, // browsers open six connections to a host; the page needs some of them itself
      allowedMetaFields: ['name', 'type'],
      // After a 429 Uppy uses one list of delays for all files together, which is used up before the twentieth file.
      onShouldRetry: (error, _attempt, _options, next) => worthRetrying(error) && (toProblem(error).status === 429 || next(error)),
      onError(error) {
        error.message = explain(error); // Uppy shows the message unchanged
      },
    });

  compareSums(uppy, service);
  uppy.on('file-added', ({ name, size }) => markContinued(name, size ?? 0));
  uppy.on('file-removed', ({ name, size, progress }) => {
    if (!progress.uploadStarted) markContinued(name, size ?? 0, false); // or the upload was deleted
  });
  uppy.on('upload-error', (file, error, response) => {
    notice(t('“{name}” was not uploaded. {why}', { name: file?.name ?? '', why: explain(error) }));
    if ((response?.status ?? toProblem(error).status) === 401) {
      renewed(service.credentials, options.lastCredentials()).then(() => uppy.retryAll(), () => {});
    }
  });
  uppy.on('upload', () => notice(''));
  uppy.on('upload-success', (_, { uploadURL }) => void options.urlStorage.forget(uploadURL ?? null));
  return { uppy, claims: options.urlStorage };
}

/** Hashes each file during its upload, one at a time, and compares the hash with the stored file's at the end. */
function compareSums(uppy: Uppy<Meta, Body>, service: Service): void {
  const sums = new Map<string, Promise<string | null>>();
  let last: Promise<unknown> = Promise.resolve();
  uppy.on('upload-start', (files) => {
    for (const { id, data } of files) {
      if (!(data instanceof Blob) || sums.has(id)) continue;
      const sum = last.then(() => sha256(data, new AbortController().signal));
      sums.set(id, sum);
      last = sum;
    }
  });
  uppy.on('file-removed', ({ id }) => sums.delete(id));
  uppy.addPostProcessor(async (ids) => {
    for (const file of ids.map((id) => uppy.getFile(id))) {
      const id = file?.uploadURL?.split('/').pop();
      if (!file || !id || file.error) continue;
      try {
        await verify(service, { id, name: file.name }, (await sums.get(file.id)) ?? null);
      } catch (error) {
        uppy.emit('upload-error', file, new Error(explain(error), { cause: error }));
      }
    }
  });
}
