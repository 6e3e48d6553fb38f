import type { ISessionContext } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';

import { KERNEL } from '../trust/kernels';
import type { TrustModel } from '../trust/model';

/**
 * Lets a notebook in a project start the project's kernel, without a question.
 *
 * Also when its file names another one: what comes from elsewhere would run on the server itself.
 * A kernel that the user chose stays, and so does one of another language, about which Lab asks.
 */
export class ProjectKernel implements DocumentRegistry.IWidgetExtension<
  NotebookPanel,
  INotebookModel
> {
  /** `patience`: milliseconds that the server may take to say whether there is a project. */
  constructor(
    private readonly _trust: TrustModel,
    private readonly _patience = 5000
  ) {}

  /** Called for each notebook that is opened, before it has asked for a kernel. */
  createNew(
    _: NotebookPanel,
    context: DocumentRegistry.IContext<INotebookModel>
  ): IDisposable {
    const { sessionContext } = context;
    const { id, name } = sessionContext.kernelPreference;
    if (id === undefined && name === undefined) {
      const initialize = sessionContext.initialize.bind(sessionContext);
      sessionContext.initialize = async () => {
        await this._trust.whenKnown(context.path, this._patience);
        // A place that looks like a project's counts as one until the server says otherwise: the
        // project's kernel is refused elsewhere, and another one would run on the server itself.
        const project = this._trust.projectOf(context.path);
        if (project !== null && mayBePython(context.model)) {
          await prefer(sessionContext);
        }
        return initialize();
      };
    }
    return new DisposableDelegate(() => {
      // Nothing is left behind: the session context goes with the notebook.
    });
  }
}

async function prefer(sessionContext: ISessionContext): Promise<void> {
  await sessionContext.specsManager.ready;
  if (sessionContext.specsManager.specs?.kernelspecs[KERNEL]) {
    sessionContext.kernelPreference = {
      ...sessionContext.kernelPreference,
      name: KERNEL
    };
  }
}

function mayBePython(model: INotebookModel): boolean {
  return /^(i?python\d*)?$/i.test(model.defaultKernelLanguage);
}
