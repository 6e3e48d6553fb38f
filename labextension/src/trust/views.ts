import type { ISessionContext, MainAreaWidget } from '@jupyterlab/apputils';
import type { ConsolePanel } from '@jupyterlab/console';
import type { HTMLViewer } from '@jupyterlab/htmlviewer';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { SessionsModel } from '../sessions/model';
import { UntrustedBanner } from './banner';
import type { RenderGuard } from './guard';
import type { ITrustKeeper } from './keeper';
import { ConsoleKeeper, NotebookKeeper } from './keeper';
import { KernelTrust } from './kernels';
import type { TrustModel } from './model';
import { mayRun, worst } from './model';

/** Holds open views to the trust of the projects that their content is in. */
export class TrustedViews {
  constructor(
    private readonly _model: TrustModel,
    private readonly _sessions: SessionsModel,
    private readonly _guard: RenderGuard,
    private readonly _trans: TranslationBundle,
    private readonly _trustProject: (projectId: string) => void
  ) {}

  /** Take care of a notebook. */
  addNotebook(panel: NotebookPanel): void {
    const path = (): string => panel.context.path;
    // What was saved is the file's; a kernel is not known yet when extensions look for it.
    holdWidgets(panel.context.model, () => mayRun(this._model.ofPath(path())));
    const kernels = this._ofKernels(panel.sessionContext, panel.content.rendermime);
    const update = this._watch(panel, path, new NotebookKeeper(panel), kernels);
    panel.sessionContext.kernelChanged.connect(update);
    panel.context.pathChanged.connect(update);
  }

  /** Take care of a console. */
  addConsole(panel: ConsolePanel): void {
    const { sessionContext } = panel;
    const path = (): string => sessionContext.path;
    const keeper = new ConsoleKeeper(panel.console);
    const kernels = this._ofKernels(sessionContext, panel.console.rendermime);
    const update = this._watch(panel, path, keeper, kernels);
    sessionContext.kernelChanged.connect(update);
    sessionContext.propertyChanged.connect(update);
  }

  /** Take care of a page that is shown; its own button does not go over the project's trust. */
  addPage(viewer: HTMLViewer): void {
    const path = (): string => viewer.context.path;
    const hold = (): void => {
      if (viewer.trusted && !mayRun(this._model.ofPath(path()))) {
        viewer.trusted = false;
        const project = this._model.projectOf(path());
        if (project) {
          this._trustProject(project.id);
        }
      }
    };
    viewer.trustedChanged.connect(hold);
    const update = this._watch(viewer, path, { update: hold });
    viewer.context.pathChanged.connect(update);
  }

  private _ofKernels(
    context: ISessionContext,
    rendermime: IRenderMimeRegistry
  ): KernelTrust {
    const kernels = new KernelTrust(context, this._sessions, this._model);
    this._guard.restrict(rendermime, () => mayRun(kernels.trust));
    return kernels;
  }

  private _watch(
    view: MainAreaWidget,
    path: () => string,
    keeper: ITrustKeeper,
    kernels?: KernelTrust
  ): () => void {
    const banner = new UntrustedBanner(this._trans, this._trustProject);
    view.contentHeader.addWidget(banner);
    const update = (): void => {
      const ofPath = this._model.ofPath(path());
      const trust = worst(ofPath, kernels?.trust ?? 'none');
      keeper.update(trust);
      kernels?.setComms(mayRun(trust));
      const projectId =
        ofPath === 'untrusted'
          ? this._model.projectOf(path())?.id
          : kernels?.untrustedProject;
      banner.showFor(projectId ?? null);
    };
    this._model.changed.connect(update);
    this._sessions.stateChanged.connect(update);
    view.disposed.connect(() => {
      this._model.changed.disconnect(update);
      this._sessions.stateChanged.disconnect(update);
    });
    update();
    return update;
  }
}

/**
 * Widgets that were saved in a notebook bring code along as those that a kernel makes do, before
 * any is shown: extensions find none, and do not write down that there are none.
 */
function holdWidgets(model: INotebookModel, isAllowed: () => boolean): void {
  const isHeld = (key: string): boolean => key === 'widgets' && !isAllowed();
  const getMetadata = model.getMetadata.bind(model);
  model.getMetadata = (key: string): unknown =>
    isHeld(key) ? undefined : getMetadata(key);
  const setMetadata = model.setMetadata.bind(model);
  model.setMetadata = (key, value) => {
    if (!isHeld(key)) {
      setMetadata(key, value);
    }
  };
}
