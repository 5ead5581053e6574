"""The Allen Institute's warehouse on this computer: RMA queries and downloads, over HTTP."""

import contextlib
import http.server
import json
import re
import threading
from urllib.parse import unquote, urlsplit


class Warehouse:
    """What the warehouse has, and what it was asked.

    Attributes
    ----------
    experiments : list of dict
        Two-photon experiments, as the query for ``OphysExperiment`` lists them.
    sessions : list of dict
        Neuropixels sessions, as the query for ``EcephysSession`` lists them.
    files : dict of (int, str) to Path
        By id of the experiment and type of the file: NWBOphys, ObservatoryEventsFile or EcephysNwb.
    truncated : int
        So many downloads, from now on, end after half of the file.
    asked : list of str
        The paths of all requests, decoded.
    ranges : list of str or None
        The ranges that downloads asked for.
    """

    def __init__(self):
        self.experiments, self.sessions, self.files = [], [], {}
        self.truncated = 0
        self.asked, self.ranges = [], []

    def add_ophys(self, number, path, *, area="VISp", cre="Cux2-CreERT2", depth=275, session="three_session_A", **more):
        """Publish a two-photon experiment."""
        lines = [{"name": cre, "transgenic_line_type_name": "driver"}]
        donor = {"external_donor_name": "222426", "transgenic_lines": lines, "date_of_birth": "2015-10-24T00:00:00Z"}
        container = more.get("container", 511510000)
        self.experiments.append(
            {
                "id": number,
                "imaging_depth": depth,
                "targeted_structure": {"acronym": area},
                "specimen": {"name": f"{cre};Ai93-222426", "donor": donor},
                "date_of_acquisition": "2016-02-04T10:25:24Z",
                "experiment_container_id": container,
                "experiment_container": {"id": container, "failed": more.get("failed", False)},
                "stimulus_name": session,
                "fail_eye_tracking": True,
            }
        )
        self.files[number, "NWBOphys"] = path
        if "events" in more:
            self.files[number, "ObservatoryEventsFile"] = more["events"]

    def add_ecephys(self, number, path, *, session="brain_observatory_1.1", genotype="Sst-IRES-Cre/wt;Ai32/wt"):
        """Publish a Neuropixels session."""
        donor = {"age": {"days": 118}, "sex": "M", "full_genotype": genotype}
        self.sessions.append(
            {
                "id": number,
                "stimulus_name": session,
                "specimen": {"donor": donor},
                "fail_eye_tracking": False,
                "well_known_files": [{"well_known_file_type": {"name": "EcephysNwb"}}],
                "published_at": "2019-10-03T00:00:00Z",
                "specimen_id": 699733581,
                "date_of_acquisition": "2019-01-19T08:54:18Z",
                "isi_experiment_id": 1,
            }
        )
        self.files[number, "EcephysNwb"] = path

    def answer(self, query):
        """Return the rows that a query selects."""
        if "model::OphysExperiment," in query:
            return self.experiments
        if "model::EcephysSession" in query:
            return self.sessions
        for model in ("EcephysProbe", "EcephysChannel", "EcephysUnit"):
            if f"model::{model}" in query:
                return [self.part(model, k, session["id"]) for k, session in enumerate(self.sessions)]
        if "model::WellKnownFile" in query:
            number = re.search(r"attachable_id\$eq'?(\d+)", query)
            kind = re.search(r"well_known_file_type\[name\$eq'?(\w+)", query)[1]
            key = (int(number[1]), kind) if number else None
            if key in self.files:
                place = list(self.files).index(key)
                return [{"id": place, "download_link": f"/api/v2/well_known_file_download/{place}"}]
            return []
        raise LookupError(query)

    def part(self, model, k, session):
        """Return a row of the tables below a session, which has one probe with one channel with one unit."""
        if model == "EcephysProbe":
            return {"id": 100 + k, "ecephys_session_id": session, "name": "probeA", "use_lfp_data": True}
        if model == "EcephysChannel":
            area = {"ecephys_structure_id": 385 + k, "ecephys_structure_acronym": ("VISp", "LGd")[k % 2]}
            return {"id": 200 + k, "ecephys_probe_id": 100 + k, "local_index": 5, **area}
        metrics = {"amplitude_cutoff": 0.01, "presence_ratio": 0.99, "isi_violations": 0.0, "quality": "good"}
        return {"id": 300 + k, "ecephys_channel_id": 200 + k, **metrics}

    def downloads(self):
        """Return the types and ids of the files that were downloaded, in order."""
        places = [re.search(r"well_known_file_download/(\d+)", path) for path in self.asked]
        return [list(self.files)[int(place[1])] for place in places if place]


@contextlib.contextmanager
def serving(warehouse):
    """Serve a warehouse; give its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            path = unquote(self.path)
            warehouse.asked.append(path)
            if found := re.search(r"/well_known_file_download/(\d+)$", urlsplit(path).path):
                warehouse.ranges.append(self.headers.get("Range"))
                self.send(list(warehouse.files.values())[int(found[1])].read_bytes(), "application/octet-stream")
            else:
                rows = warehouse.answer(path)
                window = re.search(r"start_row\$eq(\d+)\]\[num_rows\$eq(\d+)", path)
                total = len(rows)
                if window:
                    rows = rows[int(window[1]) : int(window[1]) + int(window[2])]
                said = {
                    "success": True,
                    "id": 0,
                    "start_row": 0,
                    "num_rows": len(rows),
                    "total_rows": total,
                    "msg": rows,
                }
                self.send(json.dumps(said).encode(), "application/json")

        def send(self, content, kind):
            start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                content = content[start:]
            self.send_header("ETag", '"whole"')
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if kind.endswith("octet-stream") and warehouse.truncated:
                warehouse.truncated -= 1
                content = content[: len(content) // 2]
            self.wfile.write(content)
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
