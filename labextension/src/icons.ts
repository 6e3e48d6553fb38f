import { LabIcon } from '@jupyterlab/ui-components';

import chatSvg from '../style/icons/chat.svg';
import projectsSvg from '../style/icons/projects.svg';

/** The icon of the panel in the sidebar. */
export const projectsIcon = new LabIcon({
  name: 'cognition-jupyter:projects',
  svgstr: projectsSvg
});

/** The icon of chats. */
export const chatIcon = new LabIcon({
  name: 'cognition-jupyter:chat',
  svgstr: chatSvg
});
