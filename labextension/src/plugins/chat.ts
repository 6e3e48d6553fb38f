import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { WidgetTracker } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import type { ChatWidget } from '../chat/widget';
import { CommandIDs } from '../commands/ids';
import { chatIcon } from '../icons';
import { IProjects } from '../tokens';

/** A project's chat in the main area. */
export const chatPlugin: JupyterFrontEndPlugin<void> = {
  id: 'cognition-jupyter:chat',
  description: "Talks to a project's agent, or runs code, in a session of its own.",
  autoStart: true,
  requires: [IProjects, IRenderMimeRegistry],
  optional: [ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    rendermime: IRenderMimeRegistry,
    restorer: ILayoutRestorer | null
  ) => {
    const { commands, shell } = app;
    const { trans } = projects;
    const tracker = new WidgetTracker<ChatWidget>({ namespace: 'cognition-chat' });
    commands.addCommand(CommandIDs.chat, {
      label: trans.__('Chat'),
      caption: trans.__("Talk to the project's agent, or run code, in a session"),
      icon: chatIcon,
      describedBy: {
        args: {
          type: 'object',
          required: ['project_id'],
          properties: {
            project_id: { type: 'string', description: trans.__('The project') },
            session_id: {
              type: 'string',
              description: trans.__('The session to show; without it, one is chosen')
            }
          }
        }
      },
      isEnabled: args => typeof args.project_id === 'string',
      execute: async args => {
        const { project_id: projectId, session_id: sessionId } = args;
        if (typeof projectId !== 'string') {
          throw new Error('project_id is missing.');
        }
        const { ChatWidget } = await import('../chat/widget');
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
        return widget;
      }
    });
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
