import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { Notification, showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { SessionEvents } from './events';
import { ProjectsModel } from './model';
import { ProjectsPanel } from './panel';

/** JupyterLab cuts longer notifications. */
const NOTIFICATION_LENGTH = 140;

/** Adds the panel, and tells the user of sessions that could not start. */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'cognition-jupyter:projects',
  description: 'Lists the projects of the server in the left sidebar.',
  autoStart: true,
  optional: [ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    restorer: ILayoutRestorer | null,
    optionalTranslator: ITranslator | null
  ) => {
    const translator = optionalTranslator ?? nullTranslator;
    const { events, serverSettings } = app.serviceManager;
    const trans = translator.load('cognition_jupyter');
    const model = new ProjectsModel(serverSettings);
    const panel = new ProjectsPanel({
      model,
      translator,
      open: path => {
        void app.commands.execute('filebrowser:open-path', { path });
      }
    });
    const sessionEvents = new SessionEvents({
      events,
      // A hidden panel refreshes when it is shown.
      onChanged: () => {
        if (panel.isVisible) {
          void model.refresh();
        }
      },
      onFailed: message => {
        showFailure(message, trans);
      }
    });
    panel.disposed.connect(() => {
      sessionEvents.dispose();
      model.dispose();
    });
    app.shell.add(panel, 'left', { rank: 300, type: 'Projects' });
    restorer?.add(panel, panel.id);
  }
};

/** Tell the user why a session could not start; all of it if asked. */
function showFailure(message: string, trans: TranslationBundle): void {
  const title = trans.__('The session could not start');
  Notification.error(message, {
    // Without a value of its own it would go to the list of notifications only.
    autoClose: false,
    actions:
      message.length <= NOTIFICATION_LENGTH
        ? []
        : [
            {
              label: trans.__('Show all'),
              callback: () => void showErrorMessage(title, message)
            }
          ]
  });
}

export default plugin;
