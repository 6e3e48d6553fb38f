import { PathExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { IServerEvent, ServerEvents } from '../server/events';
import type { IProject } from '../server/projects';
import { findProject } from '../server/projects';

const PROJECT_ID = /^[a-z][a-z0-9-]{0,31}-[0-9a-f]{8}$/;
const WORKSPACE = 'repo';
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;

/**
 * What holds for content: that of no project is Jupyter's own affair, and as long as the server has
 * not answered it is not known.
 */
export type Trust = 'none' | 'unknown' | 'trusted' | 'untrusted';

/** Whether content may run scripts in the page; not as long as that is not known. */
export function mayRun(trust: Trust): boolean {
  return trust === 'trusted' || trust === 'none';
}

/** What holds for content that comes from both. */
export function worst(one: Trust, other: Trust): Trust {
  const order: Trust[] = ['untrusted', 'unknown', 'trusted', 'none'];
  return order.find(trust => trust === one || trust === other) ?? 'unknown';
}

/** Knows of which projects' content may run scripts in the page, as the server says. */
export class TrustModel {
  constructor(settings: ServerConnection.ISettings, events: ServerEvents) {
    this._settings = settings;
    events.happened.connect(this._onEvent, this);
    events.connected.connect(this._onConnected, this);
  }

  /** What holds for something may have changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What holds for the content at `path`, as the contents API has it. The first call asks. */
  ofPath(path: string): Trust {
    return this._lookUp(path).trust;
  }

  /** What holds for a project's content, also if there is none of that id. The first call asks. */
  ofProject(projectId: string): Trust {
    const project = this._ask(projectId);
    if (!project) {
      return 'unknown';
    }
    return project.trusted ? 'trusted' : 'untrusted';
  }

  /** The project that the content at `path` is in; undefined as long as that is not known. */
  projectOf(path: string): IProject | null | undefined {
    return this._lookUp(path).project;
  }

  /** Wait until it is known what project `path` is in, but not for longer than `patience` ms. */
  async whenKnown(path: string, patience = 5000): Promise<void> {
    if (this.projectOf(path) !== undefined) {
      return;
    }
    await new Promise<void>(resolve => {
      const end = (): void => {
        clearTimeout(timer);
        this._changed.disconnect(look);
        resolve();
      };
      const look = (): void => {
        if (this.projectOf(path) !== undefined) {
          end();
        }
      };
      const timer = setTimeout(end, patience);
      this._changed.connect(look);
    });
  }

  /** Ask the server again about a project. */
  async refresh(projectId: string, pause = FIRST_PAUSE): Promise<void> {
    const request = ++this._lastRequest;
    this._requests.set(projectId, request);
    let project: IProject | null;
    try {
      project = await findProject(this._settings, projectId);
    } catch {
      // What was known stays; what was not remains closed until there is an answer.
      setTimeout(() => {
        if (this._requests.get(projectId) === request) {
          void this.refresh(projectId, Math.min(pause * 2, LONGEST_PAUSE));
        }
      }, pause);
      return;
    }
    if (this._requests.get(projectId) === request) {
      // What was shown of a project is not trusted because the project is gone.
      this._projects.set(projectId, project ?? this._projects.get(projectId) ?? null);
      this._changed.emit();
    }
  }

  /**
   * The outermost project counts: in its workspace, code can make folders that look like another.
   */
  private _lookUp(path: string): {
    trust: Trust;
    project: IProject | null | undefined;
  } {
    // With a drive's name in front where there are several.
    const parts = PathExt.normalize(path.replace(/^[^/:]*:/, ''))
      .split('/')
      .filter(Boolean);
    for (const [index, name] of parts.entries()) {
      if (!PROJECT_ID.test(name) || parts[index + 1] !== WORKSPACE) {
        continue;
      }
      const project = this._ask(name);
      if (project === undefined) {
        return { trust: 'unknown', project };
      }
      const place = parts.slice(0, index + 2).join('/');
      // Elsewhere stands a copy that somebody made by hand: no project.
      if (project && (project.contentsPath ?? place) === place) {
        return { trust: this.ofProject(name), project };
      }
    }
    return { trust: 'none', project: null };
  }

  private _ask(projectId: string): IProject | null | undefined {
    if (!this._requests.has(projectId)) {
      void this.refresh(projectId);
    }
    return this._projects.get(projectId);
  }

  private _onEvent(_: ServerEvents, { noun, projectId }: IServerEvent): void {
    // Anyone can post to the event bus: what counts is what the server answers.
    if (noun === 'project' && projectId && this._requests.has(projectId)) {
      void this.refresh(projectId);
    }
  }

  private _onConnected(): void {
    for (const projectId of this._requests.keys()) {
      void this.refresh(projectId);
    }
  }

  private readonly _settings: ServerConnection.ISettings;
  private readonly _projects = new Map<string, IProject | null>();

  /** The request per project that was made last: only its answer counts. */
  private readonly _requests = new Map<string, number>();
  private readonly _changed = new Signal<this, void>(this);
  private _lastRequest = 0;
}
