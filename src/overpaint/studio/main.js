/** The page put together: its parts are custom elements that stand in index.html; here they are made known. */

import "./key-dialog.js";
import "./notice.js";
import "./help.js";
import "./status.js";
import "./open.js";
import "./stage.js";
import "./tools.js";
import "./compare.js";
import "./prompt.js";
import "./presets.js";
import "./strength.js";
import "./run.js";
import "./layers.js";
import "./advanced.js";
import "./jobs.js";
import "./history.js";
