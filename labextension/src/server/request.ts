import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { isRecord } from './check';

/** The server has no projects API: our server extension is not enabled there. */
export class NotEnabledError extends Error {}

/** The server refused; `message` is its sentence and `code` its word for machines. */
export class RefusedError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string
  ) {
    super(message);
  }
}

/** What was thrown, as an error. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** What is asked for: parts of a path below the server's base URL, each still unquoted. */
export interface IRequest {
  readonly path: readonly string[];

  /** A path from the server that goes behind `path`: begins with a slash, and is quoted already. */
  readonly quotedPath?: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

  /** Arguments in the URL; a list is repeated, and undefined is left out. */
  readonly query?: Readonly<
    Record<string, string | number | boolean | readonly string[] | undefined>
  >;

  /** Sent as JSON. */
  readonly json?: unknown;

  /** Sent as it is, instead of `json`. */
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** The URL of a request. */
export function requestUrl(
  settings: ServerConnection.ISettings,
  { path, quotedPath = '', query }: Pick<IRequest, 'path' | 'quotedPath' | 'query'>
): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined) {
        parameters.append(name, String(item));
      }
    }
  }
  const search = parameters.toString();
  const url = URLExt.join(
    settings.baseUrl,
    path.map(encodeURIComponent).join('/') + quotedPath
  );
  return search ? `${url}?${search}` : url;
}

/**
 * Ask the server; its answer, whose status is 2xx.
 *
 * @throws NotEnabledError, RefusedError (its message is the server's sentence),
 * ServerConnection.NetworkError.
 */
export async function request(
  settings: ServerConnection.ISettings,
  options: IRequest
): Promise<Response> {
  const { body, headers, json, method = 'GET', signal } = options;
  const response = await ServerConnection.makeRequest(
    requestUrl(settings, options),
    {
      method,
      body: json === undefined ? body : JSON.stringify(json),
      headers,
      signal
    },
    settings
  );
  if (!response.ok) {
    throw await refusal(response);
  }
  return response;
}

/** The same as `request`; the answer's body as JSON, null when it is something else. */
export async function requestJSON(
  settings: ServerConnection.ISettings,
  options: IRequest
): Promise<unknown> {
  return readJSON(await request(settings, options));
}

/** An answer's body as JSON, null when it is something else. */
export function readJSON(response: Response): Promise<unknown> {
  return response.json().catch(() => null);
}

/** Why the server refused. */
export async function refusal(response: Response): Promise<Error> {
  const body = await readJSON(response);
  const { message, error } = isRecord(body) ? body : {};
  // Jupyter's own 404 may be JSON as well, but only our errors carry a code.
  if (response.status === 404 && typeof error !== 'string') {
    return new NotEnabledError();
  }
  return new RefusedError(
    typeof message === 'string' && message
      ? message
      : `The server answered ${response.status.toString()} ${response.statusText}`.trim(),
    response.status,
    typeof error === 'string' ? error : ''
  );
}
