import { chatPlugin } from './plugins/chat';
import { overviewPlugin } from './plugins/overview';
import { panelPlugin } from './plugins/panel';
import { projectsPlugin } from './plugins/projects';

export default [projectsPlugin, panelPlugin, overviewPlugin, chatPlugin];
