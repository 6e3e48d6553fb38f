import type { ISessionContext } from '@jupyterlab/apputils';

import type { SessionsModel } from '../sessions/model';
import type { Trust, TrustModel } from './model';
import { worst } from './model';

/** The kernelspec of projects' kernels. */
export const KERNEL = 'cognition';

/**
 * What holds for what the kernels of one view have said.
 *
 * A view outside of all projects can be connected to a project's kernel. What a kernel has put out
 * stays when the view gets another one: so does the trust of the project that it came from.
 */
export class KernelTrust {
  constructor(
    private readonly _context: ISessionContext,
    private readonly _sessions: SessionsModel,
    private readonly _model: TrustModel
  ) {}

  /** A project of whose kernels something is shown and that is not trusted. */
  get untrustedProject(): string | undefined {
    return [...this._projects].find(
      projectId => this._model.ofProject(projectId) === 'untrusted'
    );
  }

  /** What holds now. */
  get trust(): Trust {
    const kernel = this._context.session?.kernel;
    let trust: Trust = 'none';
    if (kernel) {
      const session = this._sessions.ofKernel(kernel.id);
      if (session) {
        this._projects.add(session.projectId);
      } else if (kernel.name === KERNEL || this._sessions.sessions === null) {
        trust = 'unknown';
      }
    }
    for (const projectId of this._projects) {
      trust = worst(trust, this._model.ofProject(projectId));
    }
    return trust;
  }

  /**
   * Let the kernel make widgets in the page (comms), or not: they can bring code along, before
   * anything is shown.
   */
  setComms(allowed: boolean): void {
    const kernel = this._context.session?.kernel;
    if (kernel) {
      // Read-only in the interface: Lab itself decides it once, when it connects.
      (kernel as { handleComms: boolean }).handleComms = allowed;
    }
  }

  private readonly _projects = new Set<string>();
}
