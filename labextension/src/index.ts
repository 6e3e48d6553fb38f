import { chatPlugin } from './plugins/chat';
import { overviewPlugin } from './plugins/overview';
import { panelPlugin } from './plugins/panel';
import { projectsPlugin } from './plugins/projects';
import { sessionsModelPlugin } from './plugins/sessions';
import { trustPlugin } from './plugins/trust';

export default [
  projectsPlugin,
  sessionsModelPlugin,
  trustPlugin,
  panelPlugin,
  overviewPlugin,
  chatPlugin
];
