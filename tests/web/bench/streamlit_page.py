"""The page that the measurement stands beside: the same numbers from the same server, with Streamlit and Plotly, as such pages are usually
written: metrics on top, a bar chart, a map of the states, shares over time, a table, all drawn again every second. `SOURCE` is the server."""

from __future__ import annotations

import os

import pandas as pd
import plotly.express as px
import requests
import streamlit as st

SOURCE = os.environ["SOURCE"]
COLOURS = {"Kamala Harris": "#004cdd", "Donald Trump": "#d94e0b", "Jill Stein": "#2fa391", "Other": "#614100"}


def get(path: str) -> dict:
    return requests.get(SOURCE + path, timeout=10).json()


st.set_page_config(page_title="Live results", layout="wide")
st.title("Live election results")


@st.fragment(run_every=1)
def results() -> None:
    now = get("/api/results")
    candidates = pd.DataFrame(now["candidates"])
    regions = pd.DataFrame(now["regions"])
    leader = now["candidates"][0]

    total, first, margin, expected = st.columns(4)
    total.metric("Votes counted", f"{now['counted']:,}")
    first.metric("Leading", leader["name"], f"{leader['share']:.1%}")
    margin.metric("Margin", f"{leader['votes'] - now['candidates'][1]['votes']:,}")
    expected.metric("Of expected", f"{now['counted'] / max(now['expected'], 1):.1%}")

    for column, candidate in zip(st.columns(len(candidates)), now["candidates"], strict=True):
        column.metric(candidate["name"], f"{candidate['votes']:,}", f"{candidate['share']:.1%}")

    left, right = st.columns(2)
    left.plotly_chart(px.bar(candidates, x="name", y="votes", color="name", color_discrete_map=COLOURS), key="bars")
    names = {candidate["id"]: candidate["name"] for candidate in now["candidates"]}
    regions["leading"] = regions["leader"].map(names)
    states = px.choropleth(
        regions, locations="code", locationmode="USA-states", scope="usa", color="leading", color_discrete_map=COLOURS
    )
    right.plotly_chart(states, key="map")

    timeline = get("/api/timeline")
    votes = pd.DataFrame(
        [point["votes"] for point in timeline["points"]],
        columns=[names[id] for id in timeline["candidates"]],
        index=[point["minute"] for point in timeline["points"]],
    )
    shares = votes.div(votes.sum(axis=1), axis=0)
    st.plotly_chart(px.line(shares, color_discrete_map=COLOURS), key="trend")
    st.dataframe(regions[["code", "name", "seats", "counted", "expected", "status", "leading", "margin_votes"]])


results()
