import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** What the panel shows of a project; the server sends more. */
export interface IProject {
  readonly id: string;
  readonly description: string;
  readonly activeSessions: number;

  /** Where the file browser finds it; null when its root is outside Jupyter's. */
  readonly contentsPath: string | null;

  /** Why the project can't be used; null when it can. */
  readonly brokenReason: string | null;
}

/** One answer of the server. */
export interface IProjectList {
  readonly projects: readonly IProject[];

  /** How many projects there are; the answer may hold fewer. */
  readonly total: number;
}

/** The server has no projects API: our server extension is not enabled there. */
export class NotEnabledError extends Error {}

/** The server answered with something that is not a list of projects. */
export class UnexpectedAnswerError extends Error {}

/**
 * Ask the server for the projects, newest access first.
 *
 * @throws NotEnabledError, UnexpectedAnswerError, ServerConnection.ResponseError
 * (its message is the server's sentence), ServerConnection.NetworkError.
 */
export async function listProjects(
  settings: ServerConnection.ISettings
): Promise<IProjectList> {
  const url = URLExt.join(settings.baseUrl, 'api/projects');
  const response = await ServerConnection.makeRequest(url, {}, settings);
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) {
    return parseList(body);
  }
  const { message, error } = isRecord(body) ? body : {};
  // Jupyter's own 404 may be JSON as well, but only our errors carry a code.
  if (response.status === 404 && typeof error !== 'string') {
    throw new NotEnabledError();
  }
  throw new ServerConnection.ResponseError(
    response,
    typeof message === 'string' ? message : undefined
  );
}

function parseList(body: unknown): IProjectList {
  if (!isRecord(body) || !Array.isArray(body.projects)) {
    throw new UnexpectedAnswerError();
  }
  const projects = body.projects.map(parseProject);
  const { total } = body;
  return {
    projects,
    total: typeof total === 'number' ? total : projects.length
  };
}

function parseProject(value: unknown): IProject {
  if (!isRecord(value) || typeof value.project_id !== 'string') {
    throw new UnexpectedAnswerError();
  }
  const { description, active_sessions, contents_path, status, reason } = value;
  return {
    id: value.project_id,
    description: typeof description === 'string' ? description : '',
    activeSessions: typeof active_sessions === 'number' ? active_sessions : 0,
    contentsPath: typeof contents_path === 'string' ? contents_path : null,
    brokenReason:
      status === 'broken' ? (typeof reason === 'string' ? reason : '') : null
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
