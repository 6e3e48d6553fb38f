import { ServerConnection } from '@jupyterlab/services';

import type { IProject } from './projects';
import { parseProject } from './projects';
import { asError, readJSON, refusal, request, requestUrl } from './request';

type Settings = ServerConnection.ISettings;

/** The server has given no archive, and then no reason either. */
export class NoArchiveError extends Error {}

/** The cookie that Jupyter wants repeated in requests, or undefined. */
function xsrfToken(): string | undefined {
  const cookies = document.cookie.split('; ');
  // Where several have the name, the server sees the last.
  const last = cookies.filter(cookie => cookie.startsWith('_xsrf=')).at(-1);
  return last?.slice('_xsrf='.length);
}

/** Where a browser gets a project as one file. */
export function archiveUrl(settings: Settings, projectId: string): string {
  const path = ['api', 'projects', projectId, 'archive'];
  return requestUrl(settings, { path, query: { _xsrf: xsrfToken() } });
}

/**
 * Have the browser download the archive: it goes to the user's disk and never through memory.
 *
 * @param refused - Called when the server has no archive to give, with the reason.
 * @returns A function that ends watching for that.
 */
export function downloadArchive(
  settings: Settings,
  projectId: string,
  refused: (error: Error) => void
): () => void {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.src = archiveUrl(settings, projectId);
  // A frame stays unloaded when its document turns out to be a download. A refusal is a document,
  // but one of a sandbox, which nobody can read: ask for its sentence again.
  frame.addEventListener('load', () => {
    const stop = new AbortController();
    const path = ['api', 'projects', projectId, 'archive'];
    request(settings, { path, signal: stop.signal }).then(
      () => {
        stop.abort();
        refused(new NoArchiveError());
      },
      (reason: unknown) => {
        refused(asError(reason));
      }
    );
  });
  document.body.append(frame);
  return () => {
    frame.remove();
  };
}

/**
 * Send an archive; its project is new.
 *
 * @param told - Called with what part of the file, from 0 to 1, was sent.
 * @throws What `request` throws, and an AbortError when `signal` says so.
 */
export function importArchive(
  settings: Settings,
  file: Blob,
  told: (part: number) => void,
  signal: AbortSignal
): Promise<IProject> {
  return new Promise((resolve, reject) => {
    // `fetch` does not tell how much was sent.
    const upload = new XMLHttpRequest();
    const path = ['api', 'projects', 'import'];
    upload.open('POST', requestUrl(settings, { path }));
    upload.setRequestHeader('Content-Type', 'application/octet-stream');
    if (settings.token) {
      upload.setRequestHeader('Authorization', `token ${settings.token}`);
    }
    const xsrf = xsrfToken();
    if (xsrf !== undefined) {
      upload.setRequestHeader('X-XSRFToken', xsrf);
    }
    upload.upload.addEventListener('progress', ({ loaded, total }) => {
      told(total > 0 ? loaded / total : 1);
    });
    upload.addEventListener('load', () => {
      const response = new Response(upload.responseText, {
        status: upload.status,
        statusText: upload.statusText
      });
      const answer = response.ok
        ? readJSON(response).then(parseProject)
        : refusal(response).then(error => Promise.reject(error));
      answer.then(resolve, reject);
    });
    upload.addEventListener('error', () => {
      reject(new ServerConnection.NetworkError(new TypeError('Failed to send')));
    });
    upload.addEventListener('abort', () => {
      reject(new DOMException('The import was cancelled.', 'AbortError'));
    });
    signal.addEventListener('abort', () => {
      upload.abort();
    });
    upload.send(file);
  });
}
