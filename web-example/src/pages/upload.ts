/** Several files with Uppy. */

import Uppy, { type Body, type Meta } from '@uppy/core';
import Dashboard from '@uppy/dashboard';
import Tus from '@uppy/tus';
import '@uppy/core/css/style.min.css';
import '@uppy/dashboard/css/style.min.css';
import '../uppy.css';
import type { Config } from '../lib/api';
import { byId, notice } from '../lib/dom';
import { FileList } from '../lib/file-list';
import { bytes, exact } from '../lib/format';
import { startPage } from '../lib/page';
import { explain, statusOf } from '../lib/problem';
import { tokenRefused } from '../lib/sign-in';
import { tusOptions, worthRetrying } from '../lib/tus-options';
import { markContinued, showUnfinished } from '../lib/unfinished';

void startPage(async (config) => {
  const files = new FileList(config.base, 5, byId('files'));
  const uppy = uploader(config);
  uppy.on('upload-success', () => void files.refresh());
  await Promise.all([files.refresh(), showUnfinished('tus::tus-uppy')]);
});

// No Golden Retriever: it can't keep files of this size, and asks for them again just the same.
// What resumes an upload after a reload is the address that tus-js-client keeps for the file.
function uploader({ base, max_file_size }: Config) {
  const uppy = new Uppy<Meta, Body>({ restrictions: { maxFileSize: max_file_size } })
    .use(Dashboard, {
      target: '#uppy',
      inline: true,
      width: '100%',
      height: 360,
      singleFileFullScreen: false,
      theme: 'auto',
      note: `Up to ${bytes(max_file_size)} each. Reloaded the page? Add the same file again, and it goes on.`,
      proudlyDisplayPoweredByUppy: false, // said in the footer
      showLinkToFileUploadResult: true,
      locale: { strings: { dashboardTitle: 'Upload files', cancelUpload: 'Cancel and delete' } },
    })
    .use(Tus, {
      ...tusOptions,
      endpoint: `${base}/tus/`,
      limit: 3, // browsers open six connections to a host; the page needs some of them itself
      allowedMetaFields: ['name', 'type'],
      onShouldRetry: (error, _attempt, _options, next) => worthRetrying(error) && next(error),
      onError(error) {
        error.message = explain(error); // Uppy shows the message as it stands
      },
    });

  uppy.on('file-added', (file) => {
    notice('');
    markContinued(file.name, file.size ?? 0);
  });
  uppy.on('restriction-failed', (file, error) => {
    const size = file?.size ?? 0;
    notice(size > max_file_size
      ? `“${file?.name}” has ${exact(size)} bytes; this server takes at most ${exact(max_file_size)} (${bytes(max_file_size)}). Nothing was sent.`
      : error.message);
  });
  uppy.on('upload-error', (file, error, response) => {
    notice(`“${file?.name}” was not uploaded. ${error.message}`);
    if ((response?.status ?? statusOf(error)) === 401) {
      tokenRefused().then(() => uppy.retryAll(), () => {});
    }
  });
  uppy.on('upload', () => notice(''));
  return uppy;
}
