/**
 * The library that a product copies: files to and from Holdfast, without a framework.
 *
 *     const { uploadFile, parseMarkdownFiles } = connect({ base, maxFileSize, credentials: bearer(getToken) });
 *     const task = uploadFile(file, { onProgress: ({ sent, total, left }) => … });
 *     const { url } = await task.done; // or task.pause(), task.resume(), task.abort()
 *
 * Every failure rejects with a Problem; explain(problem, language) says what happened and what to
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

/** The service with a user's credentials. The functions can be used without the object. */
export function connect(settings: Service) {
  const service: Service = { ...settings, base: settings.base.replace(/\/+$/, '') };
  return {
    service,
    /** Uploads a file, or resumes an unfinished upload of it. */
    uploadFile: (file: File, options: UploadOptions = {}) => new UploadTask(service, file, options),
    /** This browser's uploads that can be resumed; Uppy keeps a list of its own. */
    resumeUploads: (client: 'tus' | 'uppy' = 'tus') => unfinishedUploads(service, client),
    /** The service's files that a Markdown text links to. */
    parseMarkdownFiles: (text: string) => parseMarkdownFiles(text, service.base),
    /** The URL of a file. */
    fileUrl: (id: string) => `${service.base}/${encodeURIComponent(id)}`,
    listFiles: (limit: number, after: string | null = null) => api.listFiles(service, limit, after),
    remove: (url: string) => api.remove(service, url),
    signedLink: (id: string, ttl: number, disposition: 'inline' | 'attachment' = 'inline') => api.signedLink(service, id, ttl, disposition),
    grantOf: (id: string) => api.grantOf(service, id),
    setGrant: (id: string, grant: api.Grant) => api.setGrant(service, id, grant),
    usage: () => api.usage(service),
  };
}
