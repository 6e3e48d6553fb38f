import { LabIcon } from '@jupyterlab/ui-components';

import chatSvg from '../style/icons/chat.svg';
import extendSvg from '../style/icons/extend.svg';
import pinSvg from '../style/icons/pin.svg';
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

/** A project that is kept from cleanup. */
export const pinIcon = new LabIcon({
  name: 'cognition-jupyter:pin',
  svgstr: pinSvg
});

/** More time before cleanup. */
export const extendIcon = new LabIcon({
  name: 'cognition-jupyter:extend',
  svgstr: extendSvg
});
