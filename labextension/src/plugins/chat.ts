import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import type { ChatWidget } from '../chat/widget';
import { addProjectCommand } from '../commands/context';
import { CommandIDs } from '../commands/ids';
import { chatIcon } from '../icons';
import type { PanelSettings } from '../model/settings';
import { IPanelSettings, IProjects } from '../tokens';

/** A project's chat in the main area. */
export const chatPlugin: JupyterFrontEndPlugin<void> = {
  id: 'cognition-jupyter:chat',
  description: "Talks to a project's agent, or runs code, in a session of its own.",
  autoStart: true,
  requires: [IProjects, IPanelSettings, IRenderMimeRegistry],
  optional: [ILayoutRestorer, ICommandPalette, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    settings: PanelSettings,
    rendermime: IRenderMimeRegistry,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    fileBrowser: IDefaultFileBrowser | null
  ) => {
    const { shell } = app;
    const { trans } = projects;
    const tracker = new WidgetTracker<ChatWidget>({ namespace: 'cognition-chat' });
    // Also takes `session_id`, the session to show; without it, one is chosen.
    addProjectCommand({ app, fileBrowser, projects, settings }, CommandIDs.chat, {
      label: () => trans.__('Open Chat'),
      icon: chatIcon,
      failed: trans.__('The chat could not be opened'),
      run: async ({ id: projectId }, { session_id: sessionId }) => {
        const { ChatWidget } = await import('../views');
        let widget = tracker.find(({ model }) => model.projectId === projectId);
        if (!widget) {
          const made = new ChatWidget({ projectId, projects, rendermime });
          made.model.stateChanged.connect(() => {
            if (made.model.sessionId !== shown) {
              shown = made.model.sessionId;
              void tracker.save(made);
            }
          });
          let shown = made.model.sessionId;
          await tracker.add(made);
          widget = made;
        }
        if (typeof sessionId === 'string' && sessionId !== widget.model.sessionId) {
          void widget.model.open(sessionId);
        }
        if (!widget.isAttached) {
          shell.add(widget, 'main', { type: 'Chat' });
        }
        shell.activateById(widget.id);
      }
    });
    palette?.addItem({ category: trans.__('Projects'), command: CommandIDs.chat });
    void restorer?.restore(tracker, {
      command: CommandIDs.chat,
      name: ({ model }) => model.projectId,
      args: ({ model: { projectId, sessionId } }) => ({
        project_id: projectId,
        ...(sessionId !== null && { session_id: sessionId })
      })
    });
  }
};
