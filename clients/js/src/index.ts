/**
 * @holdfast/client: files to and from Holdfast, without a framework.
 *
 *     const { uploadFile, parseMarkdownFiles } = connect({ base, maxFileSize, credentials: bearer(getToken) });
 *     const task = uploadFile(file, { onProgress: ({ sent, total, left }) => … });
 *     const { url } = await task.done; // or task.pause(), task.resume(), task.abort()
 *
 * Every failure rejects with a Problem; explain(problem, language) says what happened and what to
 * do, in English or German.
 */

import * as api from './api.js';
import type { Service } from './http.js';
import type { Language } from './i18n.js';
import { parseMarkdownFiles } from './markdown.js';
import { unfinishedUploads } from './unfinished.js';
import { type UploadOptions, UploadTask } from './upload.js';
import { awsS3Options, type UppyLike } from './uppy.js';

export type { Access, FilePage, Grant, SignedLink, StoredFile, Usage } from './api.js';
export { attachmentType, type AttachmentType } from './attachment.js';
export { refusal } from './check.js';
export { bearer, type Credentials, guest, publicToken } from './credentials.js';
export { type Language, languages, pickLanguage } from './i18n.js';
export type { Service } from './http.js';
export { markdownLink, type MarkdownFile } from './markdown.js';
export { explain, Problem } from './problem.js';
export type { UnfinishedUpload } from './unfinished.js';
export type { AwsS3Options, S3Request, UppyLike } from './uppy.js';
export { type Progress, type UploadedFile, type UploadOptions, UploadTask } from './upload.js';

/** All of the service's API, as types, for a client of one's own. */
export type { components, paths } from './openapi.js';

// The parts, for a page with an uploader of its own, such as Uppy.
export { sha256 } from './checksum.js';
export { renewed } from './credentials.js';
export * as format from './format.js';
export { call } from './http.js';
export { fill, type Values } from './i18n.js';
export { problemOf, toProblem } from './problem.js';
export { type TusOptions, tusOptions, worthRetrying } from './tus-options.js';
export { verify } from './verify.js';

export type Holdfast = ReturnType<typeof connect>;

/** The service with a user's credentials. The functions can be used without the object. */
export function connect(settings: Service) {
  const service: Service = { ...settings, base: settings.base.replace(/\/+$/, '') };
  return {
    service,
    /** Uploads a file, or resumes an unfinished upload of it. */
    uploadFile: (file: File, options: UploadOptions = {}) => new UploadTask(service, file, options),
    /** Options for Uppy's @uppy/aws-s3: `uppy.use(AwsS3, awsS3Options(uppy))`. Errors are shown in this language. */
    awsS3Options: (uppy: UppyLike, language: Language = 'en') => awsS3Options(service, uppy, language),
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
