/**
 * The library that a product copies: files to and from Holdfast, without a framework.
 *
 *     const { uploadFile, parseMarkdownFiles } = connect({ base, maxFileSize, credentials: bearer(getToken) });
 *     const task = uploadFile(file, { onProgress: ({ sent, total, left }) => … });
 *     const { url } = await task.done; // or task.pause(), task.resume(), task.abort()
 *
 * Whatever fails rejects with a Problem; explain(problem, language) says what happened and what to
 * do, in English or German.
 */

import * as api from './api';
import type { Service } from './http';
import { parseMarkdownFiles } from './markdown';
import { unfinishedUploads } from './unfinished';
import { type UploadOptions, UploadTask } from './upload';

export type { Access, FilePage, Grant, SignedLink, StoredFile, Usage } from './api';
export { attachmentType, type AttachmentType } from './attachment';
export { refusal } from './check';
export { bearer, type Credentials, guest, publicToken } from './credentials';
export { type Language, languages, pickLanguage } from './i18n';
export type { Service } from './http';
export { markdownLink, type MarkdownFile } from './markdown';
export { explain, Problem } from './problem';
export type { UnfinishedUpload } from './unfinished';
export { type Progress, type UploadedFile, type UploadOptions, UploadTask } from './upload';

export type Holdfast = ReturnType<typeof connect>;

/** The service in somebody's name. The functions may be taken out and passed around. */
export function connect(settings: Service) {
  const service: Service = { ...settings, base: settings.base.replace(/\/+$/, '') };
  return {
    service,
    /** Begins to send a file, or goes on with an unfinished upload of it. */
    uploadFile: (file: File, options: UploadOptions = {}) => new UploadTask(service, file, options),
    /** Uploads of this browser that can be gone on with; `client` says whose list, Uppy's is another. */
    resumeUploads: (client: 'tus' | 'uppy' = 'tus') => unfinishedUploads(service, client),
    /** The service's files that a markdown text links to. */
    parseMarkdownFiles: (text: string) => parseMarkdownFiles(text, service.base),
    /** Where a file lives. */
    fileUrl: (id: string) => `${service.base}/${encodeURIComponent(id)}`,
    listFiles: (limit: number, after: string | null = null) => api.listFiles(service, limit, after),
    remove: (url: string) => api.remove(service, url),
    signedLink: (id: string, ttl: number, disposition: 'inline' | 'attachment' = 'inline') => api.signedLink(service, id, ttl, disposition),
    grantOf: (id: string) => api.grantOf(service, id),
    setGrant: (id: string, grant: api.Grant) => api.setGrant(service, id, grant),
    usage: () => api.usage(service),
  };
}
