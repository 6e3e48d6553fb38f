import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';

import { guarded } from '../failure';
import type { ISession } from '../server/sessions';
import { shutDownSession } from '../server/sessions';
import type { IProjects } from '../tokens';
import type { SessionsModel } from './model';
import type { ISessionActions } from './row';

/** What can be done with sessions, with the user told when it fails. */
export function sessionActions(
  { commands, serviceManager }: JupyterFrontEnd,
  projects: IProjects,
  sessions: SessionsModel
): ISessionActions {
  const { settings, trans } = projects;
  return {
    connect: ({ contentsPath, id, projectId }) =>
      void guarded(projects, trans.__('The console could not be opened'), () =>
        commands.execute('console:create', {
          activate: true,
          basePath: contentsPath ?? '',
          name: projectId,
          kernelPreference: { id, shutdownOnDispose: false }
        })
      ),
    interrupt: ({ id }) =>
      void guarded(projects, trans.__('The kernel could not be interrupted'), async () => {
        const model = await serviceManager.kernels.findById(id);
        if (!model) {
          throw new Error(trans.__('This server has no such kernel.'));
        }
        const kernel = serviceManager.kernels.connectTo({ model });
        try {
          await kernel.interrupt();
        } finally {
          kernel.dispose();
        }
      }),
    shutDown: (session, purpose) =>
      void guarded(projects, trans.__('The session could not be shut down'), async () => {
        if (await confirmed(session, purpose)) {
          await shutDownSession(settings, session);
          await sessions.refresh();
        }
      })
  };

  async function confirmed(
    { projectId }: ISession,
    purpose: string
  ): Promise<boolean> {
    const { button } = await showDialog({
      title: trans.__('Shut down the session of %1?', projectId),
      body: trans.__(
        '%1: its variables are gone then. Files stay, and memory is saved.',
        purpose
      ),
      buttons: [
        Dialog.cancelButton(),
        Dialog.warnButton({ label: trans.__('Shut Down Session') })
      ]
    });
    return button.accept;
  }
}
